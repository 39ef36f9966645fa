package ctl

import (
	"context"
	"encoding/json"
	"io"

	"ntsd/internal/status"
)

// serving lists the commands about the NTP server.
func serving() []Command {
	return []Command{
		{"serverstats", "[-v]", "the NTP server: requests, replies, timestamps", "-v adds the ports that are served and what became of the requests.", "ntsctl serverstats -v", 0, 0, asking(status.RenderServerStats)},
		{"clients", "[-v]", "who asks the NTP server, how often, since when", "-v adds who uses NTS, interleaved mode, and who asks too often.", "ntsctl clients", 0, 0, asking(status.RenderClients)},
		{"accheck", "CLIENT", "whether the NTP server answers an address", "-v adds which subnet decides.", "ntsctl accheck 192.168.1.20", 1, 1, asking(status.RenderAccess)},
	}
}

// asking returns a command that the daemon answers with a T, which render shows.
func asking[T any](render func(io.Writer, T, status.Options) error) func(*invocation, []string) error {
	return func(c *invocation, words []string) error {
		resp, err := c.client.do(context.Background(), words[0], words[1:]...)
		if err != nil {
			return err
		}
		var answer T
		if err := json.Unmarshal(resp.Body, &answer); err != nil {
			return failf(ExitFailed, "%s: the daemon's answer is not understood: restart ntsd if it was upgraded (%v)", words[0], err)
		}
		if c.opts.json {
			err = status.WriteJSON(c.stdout, answer)
		} else {
			err = render(c.stdout, answer, c.opts.table)
		}
		if err != nil {
			return writeFailure(err)
		}
		return nil
	}
}
