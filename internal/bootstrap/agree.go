package bootstrap

import (
	"slices"

	"ntsd/internal/clock"
)

// Vote is what one source says about the clock: its error lies between Lo and
// Hi.
type Vote struct {
	Operator string
	Lo, Hi   clock.Offset
	// Strict says that the reply is authenticated by keys whose certificates
	// were judged at a trusted time.
	Strict bool
	// NotBefore is when the youngest certificate of the chain was issued.
	NotBefore clock.Wall
	Mute      bool // no opinion: its vote is not looked at
}

// Judgement is who agrees. In runs parallel to the votes.
type Judgement struct {
	In        []bool
	Operators []string // that agree, in order of the votes
	Strict    int      // how many of them by a strict vote
	Agreed    bool     // enough operators do
	Confirmed bool     // enough do by strict votes
	Latest    clock.Wall
}

// agree finds the point that lies in the intervals of the most operators
// (Marzullo's algorithm, but an operator has one voice however many servers it
// runs). Where enough strict votes agree, tentative ones do not displace them.
func agree(votes []Vote, need int) Judgement {
	best := Judgement{In: make([]bool, len(votes))}
	for i := range votes {
		if votes[i].Mute {
			continue
		}
		// The largest common part begins where some interval begins.
		if j := around(votes, votes[i].Lo, need); j.better(&best) {
			best = j
		}
	}
	return best
}

// around counts who agrees on a point.
func around(votes []Vote, at clock.Offset, need int) Judgement {
	j := Judgement{In: make([]bool, len(votes))}
	var strict []string
	for i := range votes {
		v := &votes[i]
		if v.Mute || at < v.Lo || at > v.Hi {
			continue
		}
		j.In[i] = true
		j.Latest = max(j.Latest, v.NotBefore)
		if !slices.Contains(j.Operators, v.Operator) {
			j.Operators = append(j.Operators, v.Operator)
		}
		if v.Strict && !slices.Contains(strict, v.Operator) {
			strict = append(strict, v.Operator)
		}
	}
	j.Strict = len(strict)
	j.Agreed, j.Confirmed = len(j.Operators) >= need, j.Strict >= need
	return j
}

func (j *Judgement) better(o *Judgement) bool {
	switch {
	case j.Confirmed != o.Confirmed:
		return j.Confirmed
	case len(j.Operators) != len(o.Operators):
		return len(j.Operators) > len(o.Operators)
	}
	return j.Strict > o.Strict
}
