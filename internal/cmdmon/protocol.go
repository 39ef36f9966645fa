package cmdmon

// Constants of the protocol.
const (
	protoVersion = 6
	// oldestMismatch is the oldest version whose clients understand that theirs
	// is the wrong one.
	oldestMismatch = 5
	typeRequest    = 1
	typeReply      = 2

	requestHeader = 20
	replyHeader   = 28

	clientsPerReply = 8
	nameLength      = 256 // with the zero that ends it
	manualSamples   = 16
)

// Implementation constants.
const (
	// MaxRequest is the longest request that is read. chronyc's longest has 524
	// bytes; others pad every request to one length.
	MaxRequest = 1024
)

// command is what a request asks for; those without a name are refused.
type command uint16

const (
	cmdOnline          command = 1
	cmdOffline         command = 2
	cmdBurst           command = 3
	cmdDump            command = 6
	cmdNSources        command = 14
	cmdSourceData      command = 15
	cmdRekey           command = 16
	cmdAccheck         command = 25
	cmdCmdAccheck      command = 26
	cmdTracking        command = 33
	cmdSourcestats     command = 34
	cmdRTCReport       command = 35
	cmdClientsByIndex1 command = 40
	cmdManualList      command = 41
	cmdMakeStep        command = 43
	cmdActivity        command = 44
	cmdSmoothing       command = 51
	cmdSmoothTime      command = 52
	cmdRefresh         command = 53
	cmdServerStats     command = 54
	cmdClientsByIndex2 command = 55
	cmdNTPData         command = 57
	cmdOnOffline       command = 63
	cmdSourceName      command = 65
	cmdAuthData        command = 67
	cmdClientsByIndex3 command = 68
	cmdSelectData      command = 69
	cmdReloadSources   command = 70
)

// format is the layout of a reply's data.
type format uint16

const (
	fmtNull            format = 1
	fmtNSources        format = 2
	fmtSourceData      format = 3
	fmtTracking        format = 5
	fmtSourcestats     format = 6
	fmtActivity        format = 12
	fmtSmoothing       format = 13
	fmtClientsByIndex1 format = 10
	fmtServerStats1    format = 14
	fmtClientsByIndex2 format = 15
	fmtNTPData1        format = 16
	fmtManualList2     format = 18
	fmtSourceName      format = 19
	fmtAuthData        format = 20
	fmtClientsByIndex3 format = 21
	fmtServerStats2    format = 22
	fmtSelectData      format = 23
	fmtServerStats3    format = 24
	fmtServerStats4    format = 25
	fmtNTPData2        format = 26
)

// result is the status of a reply.
type result uint16

const (
	success          result = 0
	failed           result = 1
	notAuthorised    result = 2
	invalidCommand   result = 3
	noSuchSource     result = 4
	notEnabled       result = 6
	accessAllowed    result = 8
	accessDenied     result = 9
	noRTC            result = 13
	badPacketVersion result = 18
	badPacketLength  result = 19
)

// The lengths of what requests and replies are made of.
const (
	addressLength   = 20
	networkLength   = 2 * addressLength
	timespecLength  = 12
	trackingLength  = 4 + addressLength + 4 + timespecLength + 9*4
	sourceLength    = addressLength + 6*2 + 4*4
	statsLength     = 4 + addressLength + 8*4
	activityLength  = 5 * 4
	smoothLength    = 6 * 4
	rtcLength       = timespecLength + 4 + 4 + 8
	authLength      = 6*2 + 2*4 + 4
	selectLength    = 4 + addressLength + 4 + 4 + 4*4
	ntpData1Length  = 2*addressLength + 84
	ntpData2Length  = ntpData1Length + 20
	manualLength    = 4 + manualSamples*(timespecLength+12)
	clients2Length  = 12 + clientsPerReply*(addressLength+28) // the first format, too
	clients3Length  = 12 + clientsPerReply*(addressLength+40)
	serverStats1    = 5 * 4
	serverStats2    = 8 * 4
	serverStats3    = 11 * 4
	serverStats4    = 21 * 8
	addSourceLength = 4 + nameLength + 92
)

// shape is how long the data of a command are, and those of its shortest reply.
type shape struct{ request, reply int }

// length is that of the shortest request that is answered with data.
func (s shape) length() int { return max(requestHeader+s.request, replyHeader+s.reply) }

// shapes lists the commands of all of chrony's releases that speak version 6
// and this program answers, if only by a refusal.
func shapes(c command) (shape, bool) {
	switch c {
	case cmdTracking:
		return shape{0, trackingLength}, true
	case cmdNSources:
		return shape{0, 4}, true
	case cmdSourceData:
		return shape{4, sourceLength}, true
	case cmdSourcestats:
		return shape{4, statsLength}, true
	case cmdSelectData:
		return shape{4, selectLength}, true
	case cmdSourceName:
		return shape{addressLength, nameLength}, true
	case cmdAuthData:
		return shape{addressLength, authLength}, true
	case cmdNTPData:
		return shape{addressLength, ntpData1Length}, true
	case cmdServerStats:
		return shape{0, serverStats1}, true
	case cmdClientsByIndex1, cmdClientsByIndex2:
		return shape{8, clients2Length}, true
	case cmdClientsByIndex3:
		return shape{16, clients3Length}, true
	case cmdActivity:
		return shape{0, activityLength}, true
	case cmdSmoothing:
		return shape{0, smoothLength}, true
	case cmdRTCReport:
		return shape{0, rtcLength}, true
	case cmdManualList:
		return shape{0, manualLength}, true
	case cmdAccheck, cmdCmdAccheck:
		return shape{addressLength, 0}, true
	case cmdOnline, cmdOffline:
		return shape{networkLength, 0}, true
	case cmdBurst:
		return shape{networkLength + 8, 0}, true
	case cmdDump, cmdSmoothTime:
		return shape{4, 0}, true
	case cmdRekey, cmdMakeStep, cmdRefresh, cmdOnOffline, cmdReloadSources:
		return shape{0, 0}, true
	}
	return refusedShape(c)
}

// refusedShape knows the commands that nobody may give here. No reply to them
// has data.
func refusedShape(c command) (shape, bool) {
	switch c {
	case 30, 36, 37, 48, 62, 66: // real-time clock, files of the log, reselect, shutdown, reset of sources
		return shape{0, 0}, true
	case 9, 13, 31, 42, 49, 71: // maxupdateskew, manual, dfreq, a manual sample, reselectdist, doffset
		return shape{4, 0}, true
	case 50: // limits of makestep
		return shape{8, 0}, true
	case 11: // settime
		return shape{timespecLength, 0}, true
	case 56: // local, before 4.6
		return shape{16, 0}, true
	case 73, 74: // offset of a source, local
		return shape{28, 0}, true
	case 29: // delete
		return shape{addressLength, 0}, true
	case 4, 5, 7, 8, 45, 46, 47: // limits of a source
		return shape{addressLength + 4, 0}, true
	case 17, 18, 19, 20, 21, 22, 23, 24: // access of clients and of chronyc
		return shape{addressLength + 4, 0}, true
	case 72: // selection options of a source
		return shape{addressLength + 12, 0}, true
	case 64: // add
		return shape{addSourceLength, 0}, true
	}
	return shape{}, false
}

// open reports whether a command is answered to everybody on this machine, as
// chrony does unless it is configured otherwise.
func (c command) open() bool {
	switch c {
	case cmdNSources, cmdSourceData, cmdSourcestats, cmdSourceName, cmdTracking, cmdActivity,
		cmdSmoothing, cmdRTCReport, cmdManualList:
		return true
	}
	return false
}
