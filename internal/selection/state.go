package selection

// State is the fate of a candidate.
type State uint8

// The states, with the letter of chronyc selectdata and the mark of chronyc
// sources.
const (
	StateNoSelect    State = iota // N ?: option noselect, or the authentication mode
	StateNotReady                 // M ?: too few samples yet
	StateUnreachable              // S ?: no recent reply, while others answer
	StateUnsynced                 // s ?: the server says it is not synchronised
	StateUntrusted                // T ?: not within what the trusted sources agree on
	StateDistant                  // d ?: root distance too large
	StateJittery                  // ~ ~: jitter too large
	StateFalseticker              // x x: disagrees with the majority
	StateWaiting                  // W ?: selectable, waits for others (minsources, require, first samples)
	StateOrphan                   // O ?: stratum of an orphan
	StateOutlier                  // D -: agrees, but too distant to be combined, or too far from what most measure
	StateUnused                   // P -: agrees, but others are preferred
	StateCombined                 // + +
	StateSelected                 // * *
	StateOffline                  // S ?: not polled
	stateCount
)

// stateText holds letter, mark and words of each state.
var stateText = [stateCount]struct {
	letter, mark byte
	words        string
}{
	StateNoSelect:    {'N', '?', "not to be selected"},
	StateNotReady:    {'M', '?', "has too few samples yet"},
	StateUnreachable: {'S', '?', "does not answer"},
	StateUnsynced:    {'s', '?', "is not synchronised itself"},
	StateUntrusted:   {'T', '?', "does not agree with the trusted sources"},
	StateDistant:     {'d', '?', "is too distant"},
	StateJittery:     {'~', '~', "varies too much"},
	StateFalseticker: {'x', 'x', "disagrees with the majority"},
	StateWaiting:     {'W', '?', "waits for other sources"},
	StateOrphan:      {'O', '?', "is an orphan"},
	StateOutlier:     {'D', '-', "agrees, but is too far off to be combined"},
	StateUnused:      {'P', '-', "agrees, but another source is preferred"},
	StateCombined:    {'+', '+', "combined"},
	StateSelected:    {'*', '*', "selected"},
	StateOffline:     {'S', '?', "offline"},
}

// Letter is the letter of chronyc selectdata's first column.
func (s State) Letter() byte {
	if s >= stateCount {
		return '?'
	}
	return stateText[s].letter
}

// Mark is the letter of chronyc sources' second column.
func (s State) Mark() byte {
	if s >= stateCount {
		return '?'
	}
	return stateText[s].mark
}

// String says the state in words.
func (s State) String() string {
	if s >= stateCount {
		return "unknown"
	}
	return stateText[s].words
}

// Counts reports whether the source has a share in what the clock is told.
func (s State) Counts() bool { return s == StateSelected || s == StateCombined }

// Agrees reports whether the source is of the majority, with a share or without.
func (s State) Agrees() bool { return s.Counts() || s == StateUnused || s == StateOutlier }
