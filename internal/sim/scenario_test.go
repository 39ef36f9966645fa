package sim

import (
	"os"
	"testing"
)

func TestX(t *testing.T) {
	text, _ := os.ReadFile("/tmp/a.scn")
	s, err := ParseScenario("a", text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r, err := Run(s.World(uint64(i)))
		t.Log(err, Check(s.Limits, &r), r.RMSOffset, r.OracleOffset, r.Covered, r.Bound, r.Gap, r.Synced)
	}
}
