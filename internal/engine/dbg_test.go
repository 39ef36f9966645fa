package engine
import ("testing";"time")
func TestDbg(t *testing.T){
	w := newWorld(t, 1, -5*time.Second)
	w.serve("a.test", addr(1), server{})
	w.start(sources(plainSource("a.test")))
	w.run(5*time.Second)
	st:=w.source(0)
	t.Logf("%+v",st)
	t.Logf("%+v",w.eng.selector.candidates)
	t.Logf("%+v",w.eng.selector.estimates)
	t.Logf("%+v",w.eng.cfg.Selection)
}
