package config

import (
	"errors"
	"strings"
	"testing"
)

// TestSystemServers: what system.ntp says joins what ntsd's own file says.
func TestSystemServers(t *testing.T) {
	const ours = "config ntsd 'main'\n\toption use_system_servers '1'\n\nconfig server\n\toption hostname 'Time.example'\n\toption nts '1'\n"
	for _, tt := range []struct {
		name, system string
		sources      string
		dhcp         bool
		diagnostics  []string
	}{
		{
			"all", "config system\n\toption hostname 'r'\n\nconfig timeserver 'ntp'\n\tlist server '0.pool.example'\n\tlist server 'time.example'\n\tlist server '192.0.2.1'\n",
			"Time.example nts, 0.pool.example, 192.0.2.1", true, nil,
		},
		{"no DHCP", "config timeserver 'ntp'\n\toption use_dhcp '0'\n\toption server 'a.example b.example'\n", "Time.example nts, a.example, b.example", false, nil},
		{"none named", "config timeserver 'ntp'\n", "Time.example nts", true, nil},
		{
			"a bad name", "config timeserver 'ntp'\n\tlist server 'a..example'\n\tlist server 'b.example'\n", "Time.example nts, b.example", true,
			[]string{"warning: /x/system:3: server 'ntp': option 'hostname' 'a..example': "},
		},
		{"no section", "config system\n", "Time.example nts", false, []string{"warning: /x/system: has no section 'ntp'"}},
		{"no file", "", "Time.example nts", false, []string{"warning: /x/system: cannot be read: gone"}},
		{"no UCI", "config \"\n", "Time.example nts", false, []string{"warning: /x/system:1: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, diagnostics := Load("/x", func(name string) ([]byte, error) {
				switch {
				case name == "/x/ntsd":
					return []byte(ours), nil
				case name == "/x/system" && tt.system != "":
					return []byte(tt.system), nil
				}
				return nil, errors.New("gone")
			})
			var names []string
			for _, s := range c.Sources {
				name := s.Name
				if s.NTS {
					name += " nts"
				}
				names = append(names, name)
			}
			if got := strings.Join(names, ", "); got != tt.sources {
				t.Errorf("sources: got %s, want %s", got, tt.sources)
			}
			if (c.DHCP != nil) != tt.dhcp {
				t.Errorf("DHCP: got %v, want %t", c.DHCP, tt.dhcp)
			}
			if len(diagnostics) != len(tt.diagnostics) {
				t.Fatalf("got diagnostics %v, want %v", diagnostics, tt.diagnostics)
			}
			for i, d := range diagnostics {
				if got := d.Severity.String() + ": " + d.String(); !strings.HasPrefix(got, tt.diagnostics[i]) {
					t.Errorf("got %s, want %s", got, tt.diagnostics[i])
				}
			}
		})
	}
}
