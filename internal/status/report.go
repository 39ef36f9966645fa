package status

import (
	"net/netip"
	"strings"

	"ntsd/internal/middlebox"
)

// Report is everything the daemon tells about itself at one instant. The zero
// value is an unsynchronised daemon without sources. Field names in JSON are
// stable and end in their unit; the package comment says what the signs mean.
type Report struct {
	Time      Time      `json:"time"` // of this report, by the system clock
	Daemon    Daemon    `json:"daemon"`
	Tracking  Tracking  `json:"tracking"`
	Activity  Activity  `json:"activity"`
	Smoothing Smoothing `json:"smoothing"`
	Sources   []Source  `json:"sources"`
	Bootstrap Bootstrap `json:"bootstrap"`
	NTS       NTSClient `json:"nts"`
	Advice    []Advice  `json:"advice,omitempty"`
}

// Advice is what to do about something that works and could be better; package
// advice gives it.
type Advice struct {
	Code  string   `json:"code"`            // for programs that say it in other words
	About []string `json:"about,omitempty"` // what the text mentions, in its order
	Text  string   `json:"text"`            // one sentence
}

// NTSClient counts what NTS came to as a client since the start, sources that
// are gone included.
type NTSClient struct {
	Sent   uint64 `json:"tx"`
	Good   uint64 `json:"rx_good"`
	Bad    uint64 `json:"rx_bad"` // did not verify, NAKs among them
	KEGood uint64 `json:"ke_good"`
	KEBad  uint64 `json:"ke_bad"`
}

// Daemon describes the process.
type Daemon struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  Time      `json:"started"`
	UptimeS  float64   `json:"uptime_s"`
	DryRun   bool      `json:"dry_run"` // -x: the system clock is left alone
	Warnings []string  `json:"config_warnings,omitempty"`
	Config   Config    `json:"config"`
	Log      []LogLine `json:"log,omitempty"` // newest last
}

// Config tells which configuration is in force.
type Config struct {
	Digest  string `json:"digest,omitempty"` // of the file's text
	Since   Time   `json:"since"`
	Read    Time   `json:"read"`    // when a file was last read
	Reads   int    `json:"reads"`   // how many since the start
	Refused bool   `json:"refused"` // the last one had errors, and the one before stayed
}

// LogLine is one recent message of the daemon.
type LogLine struct {
	Time  Time   `json:"time"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

// Tracking describes the local clock as chronyc tracking does.
type Tracking struct {
	Synchronised     bool    `json:"synchronised"`
	Local            bool    `json:"local"`       // the clock is its own reference
	SinceAgo         Ago     `json:"since_ago_s"` // of the last change of Synchronised
	Authenticated    bool    `json:"authenticated"`
	ReferenceID      string  `json:"reference_id"` // eight hexadecimal digits
	ReferenceName    string  `json:"reference_name"`
	ReferenceAddress string  `json:"reference_address"`
	Stratum          int     `json:"stratum"`
	ReferenceTime    Time    `json:"reference_time"`
	CorrectionS      float64 `json:"correction_s"`
	LastOffsetS      float64 `json:"last_offset_s"`
	RMSOffsetS       float64 `json:"rms_offset_s"`
	FreqPPM          float64 `json:"freq_ppm"`
	ResidualFreqPPM  float64 `json:"residual_freq_ppm"`
	SkewPPM          float64 `json:"skew_ppm"`
	RootDelayS       float64 `json:"root_delay_s"`
	RootDispersionS  float64 `json:"root_dispersion_s"`
	// OwnDispersionS is what it would be if the reference were believed alone, as
	// chronyd does; no more than RootDispersionS.
	OwnDispersionS  float64 `json:"root_dispersion_of_reference_s"`
	UpdateIntervalS float64 `json:"update_interval_s"`
	Leap            Leap    `json:"leap"`
	Updates         uint64  `json:"updates"`
	Steps           uint64  `json:"steps"`
	// FlashWrites are the files written to flash since the start, FlashDay
	// those of the last day.
	FlashWrites uint64 `json:"flash_writes"`
	FlashDay    int    `json:"flash_writes_day"`
}

// Activity counts the sources by what is done with them, as chronyc activity
// does.
type Activity struct {
	Online       int `json:"online"`
	Offline      int `json:"offline"`
	BurstOnline  int `json:"burst_online"`
	BurstOffline int `json:"burst_offline"`
	Unresolved   int `json:"unresolved"`
}

// Source describes one source: who it is, its last sample, and one part for
// each of chronyc's tables.
type Source struct {
	Ident
	Sample
	Stats     Stats     `json:"stats"`
	Selection Selection `json:"selection"`
	Auth      Auth      `json:"auth"`
	NTP       *NTPData  `json:"ntpdata,omitempty"` // nil: no valid reply yet
	Counters  Counters  `json:"counters"`
}

// Ident says which source is meant.
type Ident struct {
	ID       uint32 `json:"id"`      // of the association, never used again; 0: none yet
	Name     string `json:"name"`    // as configured
	Address  string `json:"address"` // empty while unknown
	Port     int    `json:"port"`
	Kind     string `json:"kind"` // server, pool or peer
	Operator string `json:"operator,omitempty"`
}

// Sample is a row of chronyc sources.
type Sample struct {
	Mark            string  `json:"mark"` // second column of sources
	Online          bool    `json:"online"`
	Stratum         int     `json:"stratum"`
	PollLog2        int     `json:"poll_log2"`
	Reach           int     `json:"reach"` // 8 bits
	LastRx          Ago     `json:"last_rx_ago_s"`
	AdjustedOffsetS float64 `json:"adjusted_offset_s"`
	MeasuredOffsetS float64 `json:"measured_offset_s"`
	ErrorBoundS     float64 `json:"error_bound_s"`
}

// Stats is a row of chronyc sourcestats.
type Stats struct {
	Samples          int     `json:"samples"`
	Runs             int     `json:"runs"`
	SpanS            float64 `json:"span_s"`
	ResidualFreqPPM  float64 `json:"residual_freq_ppm"`
	SkewPPM          float64 `json:"skew_ppm"`
	EstimatedOffsetS float64 `json:"estimated_offset_s"`
	StdDevS          float64 `json:"std_dev_s"`
}

// Bounds are the skew in ppm and the spread in seconds as chrony tells them: of
// a source without a sample 2000 and 4, which say that nothing is known.
func (s *Stats) Bounds() (skewPPM, stdDevS float64) {
	if s.Samples == 0 {
		return 2000, 4
	}
	return s.SkewPPM, s.StdDevS
}

// Selection is a row of chronyc selectdata.
type Selection struct {
	Letter     string        `json:"letter"` // first column of selectdata
	State      string        `json:"state"`  // the same in words
	Why        string        `json:"why"`    // why the source is not selected
	Configured SelectOptions `json:"configured_options"`
	Effective  SelectOptions `json:"effective_options"`
	Last       Ago           `json:"last_sample_ago_s"` // when the selection was made
	Score      float64       `json:"score"`
	LoS        float64       `json:"interval_lo_s"`
	HiS        float64       `json:"interval_hi_s"`
	Leap       Leap          `json:"leap"`
}

// SelectOptions are selection options.
type SelectOptions struct {
	NoSelect bool `json:"noselect"`
	Prefer   bool `json:"prefer"`
	Trust    bool `json:"trust"`
	Require  bool `json:"require"`
}

// Auth is a row of chronyc authdata and what a person asks next.
type Auth struct {
	Mode        string `json:"mode"` // nts, symmetric or none
	KeyID       int64  `json:"key_id"`
	AEAD        int    `json:"aead_id"` // of a symmetric key its type, as chronyc numbers it
	AEADName    string `json:"aead,omitempty"`
	KeyBits     int    `json:"key_bits"`
	LastKE      Ago    `json:"last_ke_ago_s"`
	Attempts    int    `json:"attempts"`
	NAKs        int    `json:"naks"`
	Cookies     int    `json:"cookies"`
	CookieBytes int    `json:"cookie_bytes"`
	OnTrial     bool   `json:"on_trial"` // certificates not judged at a trusted time
	KEs         uint64 `json:"key_establishments"`
	KEAddress   string `json:"ke_address,omitempty"`
	KEPort      int    `json:"ke_port,omitempty"`
	NextKE      Ago    `json:"next_ke_in_s"`
	LastError   string `json:"last_error,omitempty"`
	// MaxPlaceholders is how many cookies a request may ask for beside the one
	// that it spends; fewer than seven: longer packets get lost on the path.
	MaxPlaceholders int `json:"max_placeholders"`
	// Path is what drops long packets; absent: nothing is known of it.
	Path        *middlebox.Finding `json:"path,omitempty"`
	TLS         *TLS               `json:"tls,omitempty"`
	Certificate *Certificate       `json:"certificate,omitempty"`
}

// KindRefClock is the kind of a reference clock.
const KindRefClock = "refclock"

// ModeSymmetric is the mode of a source that is authenticated by a symmetric
// key.
const ModeSymmetric = "symmetric"

// TLS describes the connection of the last key establishment.
type TLS struct {
	Version     string  `json:"version"`
	CipherSuite string  `json:"cipher_suite"`
	Group       string  `json:"group"`
	PostQuantum bool    `json:"post_quantum"`
	DurationS   float64 `json:"duration_s"`
}

// Certificate describes the key establishment server's certificate; the dates
// are those that the whole chain shares.
type Certificate struct {
	Subject   string `json:"subject"`
	Issuer    string `json:"issuer"`
	NotBefore Time   `json:"not_before"`
	NotAfter  Time   `json:"not_after"`
}

// NTPData is the last valid reply as chronyc ntpdata shows it.
type NTPData struct {
	LocalAddress    string  `json:"local_address"`
	Leap            Leap    `json:"leap"`
	Version         int     `json:"version"`
	Mode            int     `json:"mode"`
	Stratum         int     `json:"stratum"`
	PollLog2        int     `json:"poll_log2"`
	PrecisionLog2   int     `json:"precision_log2"`
	RootDelayS      float64 `json:"root_delay_s"`
	RootDispersionS float64 `json:"root_dispersion_s"`
	ReferenceID     string  `json:"reference_id"` // eight hexadecimal digits
	ReferenceTime   Time    `json:"reference_time"`
	Transmitted     Time    `json:"transmit_time"` // by the server's clock
	Arrived         Time    `json:"arrival_time"`  // of the last sample, by ours as it is now; 0: none
	OffsetS         float64 `json:"offset_s"`
	DelayS          float64 `json:"delay_s"`
	DispersionS     float64 `json:"dispersion_s"`
	ResponseS       float64 `json:"response_s"`
	Asymmetry       float64 `json:"jitter_asymmetry"`
	Tests           string  `json:"tests"` // three groups of binary digits
	Interleaved     bool    `json:"interleaved"`
	Authenticated   bool    `json:"authenticated"`
	Sent            string  `json:"tx_timestamping"` // Daemon, Kernel, Hardware
	Received        string  `json:"rx_timestamping"`
}

// Counters are the packets of one source since its association began.
type Counters struct {
	Sent       uint64    `json:"tx"`
	Received   uint64    `json:"rx"`
	Valid      uint64    `json:"rx_valid"`
	Good       uint64    `json:"rx_good"`
	KernelSent uint64    `json:"tx_kernel"`
	KernelRecv uint64    `json:"rx_kernel"`
	CardSent   uint64    `json:"tx_hardware"`
	CardRecv   uint64    `json:"rx_hardware"`
	Verdicts   []Verdict `json:"verdicts,omitempty"`
}

// Verdict is how often replies met one fate.
type Verdict struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// Is reports whether a person means this source by target: its name, or its
// address in whatever form.
func (id Ident) Is(target string) bool {
	if a, err := netip.ParseAddr(target); err == nil && id.Address == a.Unmap().String() {
		return true
	}
	return target != "" && strings.EqualFold(target, id.Name)
}
