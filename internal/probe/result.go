package probe

import "ntsd/internal/status"

// Result is everything that a test found out. As JSON it is what "ntsctl --json
// test", the control socket and the ubus method "test" answer with. The names
// are stable, times are in seconds, and what was not reached is left out. Signs
// are those of ntpdata: a positive offset means that our clock is slow.
type Result struct {
	// ID is the number by which a test that still runs is asked for again;
	// Running that it does, and Step what it does.
	ID      int64  `json:"id"`
	Running bool   `json:"running"`
	Step    string `json:"step,omitempty"`

	OK    bool   `json:"ok"`              // an answer came that can be used
	Error string `json:"error,omitempty"` // one line: why not

	Server     string  `json:"server"` // the name that was tested
	NTS        bool    `json:"nts"`
	Configured bool    `json:"configured"` // with the options of the source of that name
	DurationS  float64 `json:"duration_s"`
	// Time is when the test began, by the system clock: by it the certificates
	// are judged.
	Time status.Time `json:"time"`

	Addresses   []Address    `json:"addresses"`         // of the name, both families
	Address     string       `json:"address,omitempty"` // the one that the rest is about
	KE          *KE          `json:"ke,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	NTP         *NTP         `json:"ntp,omitempty"`
	Lengths     []Length     `json:"lengths,omitempty"` // of requests, growing
	SizeLoss    *SizeLoss    `json:"size_loss,omitempty"`
}

// Address is one address of the server.
type Address struct {
	Address string `json:"address"`
	Family  string `json:"family"`          // ipv4, ipv6
	Tried   bool   `json:"tried"`           // the first ones until one answers
	Error   string `json:"error,omitempty"` // why it does not
}

// KE is the key establishment.
type KE struct {
	Address      string  `json:"address"`
	Port         int     `json:"port"`
	ConnectS     float64 `json:"tcp_s"`
	HandshakeS   float64 `json:"tls_s"`
	DurationS    float64 `json:"duration_s"` // all of it
	TLSVersion   string  `json:"tls_version,omitempty"`
	CipherSuite  string  `json:"cipher_suite,omitempty"`
	Group        string  `json:"group,omitempty"`
	PostQuantum  bool    `json:"post_quantum"`
	ALPN         string  `json:"alpn,omitempty"`
	NextProtocol string  `json:"next_protocol,omitempty"`
	AEAD         int     `json:"aead_id,omitempty"`
	AEADName     string  `json:"aead,omitempty"`
	Cookies      int     `json:"cookies"`
	CookieBytes  int     `json:"cookie_bytes"`
	NTPServer    string  `json:"ntp_server,omitempty"` // as negotiated, or the KE server's address
	NTPPort      int     `json:"ntp_port,omitempty"`
}

// Certificate is the server's own certificate, with those it sent along.
type Certificate struct {
	Link
	Names    []string `json:"names"`
	Key      string   `json:"key"`
	Verified bool     `json:"verified"`
	Refused  string   `json:"refused,omitempty"` // why it was not accepted
	Chain    []Link   `json:"chain,omitempty"`   // what the server sent beside it
}

// Link is one certificate of a chain.
type Link struct {
	Subject   string      `json:"subject"`
	Issuer    string      `json:"issuer"`
	NotBefore status.Time `json:"not_before"`
	NotAfter  status.Time `json:"not_after"`
}

// NTP is the measurement.
type NTP struct {
	Address         string      `json:"address"`
	Port            int         `json:"port"`
	Authenticated   bool        `json:"authenticated"`
	Leap            status.Leap `json:"leap"`
	Version         int         `json:"version"`
	Stratum         int         `json:"stratum"`
	ReferenceID     string      `json:"reference_id"`   // eight hexadecimal digits
	Reference       string      `json:"reference"`      // the same as people write it
	ReferenceTime   status.Time `json:"reference_time"` // when its clock was last set
	PrecisionLog2   int         `json:"precision_log2"`
	RootDelayS      float64     `json:"root_delay_s"`
	RootDispersionS float64     `json:"root_dispersion_s"`
	OffsetS         float64     `json:"offset_s"` // positive: our clock is slow
	DelayS          float64     `json:"delay_s"`
	ErrorBoundS     float64     `json:"error_bound_s"` // the offset is off by no more, if the server is right
	ResponseS       float64     `json:"response_s"`    // that the server took
	RequestBytes    int         `json:"request_bytes"`
	ReplyBytes      int         `json:"reply_bytes"`
	Cookies         int         `json:"cookies"` // that came with the reply
	Sent            string      `json:"tx_timestamping"`
	Received        string      `json:"rx_timestamping"`
}

// Length is what became of the requests of one length.
type Length struct {
	Bytes    int  `json:"bytes"` // of UDP payload; a reply of NTS is as long
	Sent     int  `json:"sent"`
	Answered int  `json:"answered"`
	NTS      bool `json:"nts"`
}

// SizeLoss is the verdict on Lengths.
type SizeLoss struct {
	Suspected bool `json:"suspected"`
	// Above is the longest request that was answered: what is longer was not.
	Above   int    `json:"above_bytes,omitempty"`
	Verdict string `json:"verdict"` // in words
}
