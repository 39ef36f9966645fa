package main

import (
	"fmt"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/sim/scenario"
)

// cell is one setting of the accuracy matrix: a client whose frequency is
// 100 ppm off plus a random walk, perfect servers, 1 ms of delay each way plus
// queues.
type cell struct {
	jitter   time.Duration // mean queue each way
	wander   clock.Rate    // per second
	servers  int
	minPoll  int
	maxPoll  int
	seconds  int // 0: 40000
	nts      bool
	scenario string // "", or one of nonIdeal
}

// nonIdeal are the cases that are not ideal.
func nonIdeal() []string {
	return []string{"bufferbloat", "temperature", "asymjitter", "gauss", "loss30"}
}

// The accuracy matrix' own numbers.
const (
	cellSeconds = 40000
	cellSettle  = 12000
)

// text describes the cell in the language of scenarios.
func (c cell) text() string {
	if c.seconds == 0 {
		c.seconds = cellSeconds
	}
	var b strings.Builder
	fmt.Fprintf(&b, "run %ds settle %ds\n", c.seconds, min(cellSettle, c.seconds/2))
	frequency := fmt.Sprintf("100ppm + walk %g", float64(c.wander))
	if c.scenario == "temperature" {
		frequency += " + sine 1ppm 7200s"
	}
	fmt.Fprintf(&b, "client frequency %s\nservers %d\npoll %d %d\n", frequency, c.servers, c.minPoll, c.maxPoll)
	if c.nts {
		fmt.Fprintln(&b, "nts")
	}
	queue := fmt.Sprintf("1ms + exp %v", c.jitter)
	switch c.scenario {
	case "bufferbloat":
		fmt.Fprintf(&b, "to %s + 50ms window 3600s 1800s 150s\nback %s\n", queue, queue)
	case "asymjitter":
		fmt.Fprintln(&b, "to 1ms + exp 1ms\nback 1ms + exp 10us")
	case "gauss":
		fmt.Fprintf(&b, "both 2ms + normal %v\n", c.jitter)
	case "loss30":
		fmt.Fprintf(&b, "both %s\nloss 0.3\n", queue)
	default:
		fmt.Fprintf(&b, "both %s\n", queue)
	}
	return b.String()
}

// name says which cell it is, in the words of the command line.
func (c cell) name() string {
	if c.scenario != "" {
		return c.scenario
	}
	return fmt.Sprintf("S %v W %g x%d", c.jitter, float64(c.wander), c.servers)
}

// parse returns the cell as a scenario.
func (c cell) parse() (*scenario.Scenario, error) {
	s, err := scenario.Parse(c.name(), []byte(c.text()))
	return &s, err
}
