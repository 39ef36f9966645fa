package uci

// scanner walks over the text by lines and arguments.
//
// The unit of reading is the logical line: one physical line, to which a quoted
// string or a backslash at the end of a line fetches the next. Beyond it
// peek answers 0, which no byte of the text can be (Parse refuses NUL).
type scanner struct {
	file string
	text []byte
	pos  int // next byte to read
	end  int // end of the logical line so far
	next int // start of the physical line not yet fetched
	line int // number of the last physical line fetched, from 1
	err  *SyntaxError
}

// fetch appends the next physical line to the logical one and reports whether
// there was one. pos moves to its start.
func (s *scanner) fetch() bool {
	s.pos, s.end = s.next, s.next
	if s.next == len(s.text) {
		return false
	}
	for s.end < len(s.text) {
		s.end++
		if s.text[s.end-1] == '\n' {
			break
		}
	}
	s.next = s.end
	s.line++
	return true
}

// fail records the first error.
func (s *scanner) fail(line int, reason string) {
	if s.err == nil {
		s.err = &SyntaxError{File: s.file, Line: line, Reason: reason}
	}
}

func (s *scanner) peek() byte {
	if s.pos < s.end {
		return s.text[s.pos]
	}
	return 0
}

// cut drops the rest of the logical line.
func (s *scanner) cut() { s.end = s.pos }

// isSpace is isspace of the C locale.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func (s *scanner) skipSpace() {
	for isSpace(s.peek()) {
		s.pos++
	}
}

// keyword returns the word that starts a command, and "" at the end of the
// line. Unlike arguments it is separated by blanks and tabs only, so that a
// bare "config" keeps its newline and is not a keyword. argument says whether
// a separator follows it.
func (s *scanner) keyword() (word string, argument bool) {
	for c := s.peek(); c == ' ' || c == '\t'; c = s.peek() {
		s.pos++
	}
	start := s.pos
	for c := s.peek(); c != 0 && c != ' ' && c != '\t'; c = s.peek() {
		s.pos++
	}
	word = string(s.text[start:s.pos])
	if s.peek() == 0 {
		return word, false
	}
	s.pos++
	return word, true
}

// argument returns the next argument, unquoted, and "" at the end of the
// command. An empty argument and an absent one are the same to libuci.
func (s *scanner) argument() string {
	s.skipSpace()
	if s.peek() == ';' {
		s.pos++
		return ""
	}
	start := s.pos
	var arg []byte
	for {
		switch c := s.peek(); c {
		case '\'', '"':
			arg = s.quoted(arg, c)
		case '#':
			s.cut()
			return string(arg)
		case ';':
			// A word that reaches the semicolon byte for byte ends the whole
			// line (libuci writes the word's terminator over the semicolon);
			// one that shrank, by its quotes, leaves it to part two commands.
			if len(arg) == s.pos-start {
				s.cut()
			}
			return string(arg)
		case '\\':
			if s.backslash() {
				arg = append(arg, s.text[s.pos])
				s.pos++
			}
		case 0:
			return string(arg)
		default:
			arg = append(arg, c)
			s.pos++
		}
		if s.err != nil || s.peek() == 0 {
			return string(arg)
		}
		if isSpace(s.peek()) {
			s.pos++
			return string(arg)
		}
	}
}

// backslash skips the backslash at pos and reports whether the byte now at
// pos is to be taken as it stands. At the end of a line it joins the next.
func (s *scanner) backslash() bool {
	s.pos++
	c := s.peek()
	if c == 0 || c == '\n' || c == '\r' && s.pos+2 == s.end && s.text[s.pos+1] == '\n' {
		s.fetch()
		return false
	}
	return true
}

// quoted appends the string that the quote at pos opens. Only in double quotes
// does the backslash mean anything.
func (s *scanner) quoted(arg []byte, quote byte) []byte {
	opened := s.line
	s.pos++
	for {
		switch c := s.peek(); {
		case c == quote:
			s.pos++
			return arg
		case c == 0:
			if !s.fetch() {
				s.fail(opened, "EOF with unterminated "+string(quote))
				return arg
			}
		case c == '\\' && quote == '"':
			if s.backslash() {
				arg = append(arg, s.text[s.pos])
				s.pos++
			}
		default:
			arg = append(arg, c)
			s.pos++
		}
	}
}
