package ctl

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// serving lists the commands about the NTP server.
func serving() []Command {
	return []Command{
		{"smoothing", "", "how the time that clients are served is smoothed", "", "ntsctl smoothing", 0, 0, (*invocation).table},
		{"smoothtime", "activate|reset", "begin to smooth it, or serve the true time now", "reset makes clients see a step.", "ntsctl smoothtime reset", 1, 1, (*invocation).action},
		{"serverstats", "[-v]", "the NTP server: requests, replies, timestamps", "-v adds the ports that are served and what became of the requests.", "ntsctl serverstats -v", 0, 0, asking(tables.ServerStats)},
		{"clients", "[-k] [-p MIN] [-r] [-v]", "who asks the NTP server, how often, since when", "-k shows key establishments in the last columns, -p only clients with so many\nrequests, -r counts those that are listed from 0 again. -v adds who uses NTS,\ninterleaved mode, and who asks too often.", "ntsctl clients -p 100", 0, 4, (*invocation).clients},
		{"accheck", "CLIENT", "whether the NTP server answers an address", "-v adds which subnet decides.", "ntsctl accheck 192.168.1.20", 1, 1, asking(tables.Access)},
		{"ntskeys", "[-v]", "the keys of cookies: ids, ages, next rotation", "The keys themselves are never shown. -v adds the writes to flash.", "ntsctl ntskeys", 0, 0, asking(tables.NTSKeys)},
		{"ca", "[export | renew]", "the LAN's certificate authority: show, export, renew", "export prints its certificate, for the option trustedcerts of clients.\nrenew makes a new authority, which clients have to trust anew; it asks first\nwhen on a terminal, -y says yes.", "ntsctl ca export > lan-ca.pem", 0, 1, (*invocation).ca},
	}
}

// clientsFlags are flags of the command clients alone.
const clientsFlags = "kpr"

// ownFlags reports whether an argument, as in "-kr", has only flags that belong
// to the command.
func ownFlags(command, arg string) bool {
	if command == control.CmdTest {
		return arg == "-4" || arg == "-6"
	}
	return command == control.CmdClients && len(arg) > 1 && arg[0] == '-' && strings.Trim(arg[1:], clientsFlags) == ""
}

// clients shows the table of clients.
func (c *invocation) clients(words []string) error {
	least, reset, render := "0", false, tables.Clients
	for i := 1; i < len(words); i++ {
		word := words[i]
		if !ownFlags(control.CmdClients, word) {
			return failf(ExitUsage, "clients takes no argument %q; see ntsctl help clients", word)
		}
		for _, flag := range word[1:] {
			switch flag {
			case 'k':
				render = tables.ClientsKE
			case 'r':
				reset = true
			case 'p':
				if i++; i == len(words) {
					return failf(ExitUsage, "clients: -p needs a number of requests")
				}
				least = words[i]
			}
		}
	}
	args := []string{words[0], least}
	if reset {
		args = append(args, control.ResetClients)
	}
	return asking(render)(c, args)
}

// asking returns a command that the daemon answers with a T, which render shows.
func asking[T any](render func(io.Writer, T, tables.Options) error) func(*invocation, []string) error {
	return func(c *invocation, words []string) error {
		answer, err := ask[T](context.Background(), c, words[0], words[1:]...)
		if err != nil {
			return err
		}
		return show(c, answer, render)
	}
}

// ask has the daemon answer a command with a T.
func ask[T any](ctx context.Context, c *invocation, cmd string, args ...string) (answer T, err error) {
	resp, err := c.client.do(ctx, cmd, args...)
	if err != nil {
		return answer, err
	}
	return decode[T](cmd, resp)
}

// decode reads the daemon's answer to a command.
func decode[T any](cmd string, resp control.Response) (answer T, err error) {
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return answer, failf(ExitFailed, "%s: the daemon's answer is not understood: restart ntsd if it was upgraded (%v)", cmd, err)
	}
	return answer, nil
}

// show prints v, as JSON if that is wanted.
func show[T any](c *invocation, v T, render func(io.Writer, T, tables.Options) error) error {
	var err error
	if c.opts.json {
		err = status.WriteJSON(c.stdout, v)
	} else {
		err = render(c.stdout, v, c.opts.table)
	}
	if err != nil {
		return writeFailure(err)
	}
	return nil
}

// ca shows, exports or renews the authority of the LAN.
func (c *invocation) ca(words []string) error {
	show := asking(tables.CA)
	switch {
	case len(words) == 1:
		return show(c, words)
	case words[1] == "export":
		return asking(func(w io.Writer, ca status.CA, _ tables.Options) error {
			_, err := io.WriteString(w, ca.PEM)
			return err
		})(c, words[:1])
	case words[1] != control.ArgRenew:
		return failf(ExitUsage, "ca: %q is neither export nor renew", words[1])
	}
	if c.interactive() && !c.opts.yes {
		if err := c.confirm("ca renew", "Make a new authority? Every client will have to trust it anew. [y/N] "); err != nil {
			return err
		}
	}
	return show(c, words)
}
