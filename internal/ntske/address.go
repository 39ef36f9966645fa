package ntske

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"ntsd/internal/nts"
)

// defaultNTPPort is where NTP is when no port was negotiated.
const defaultNTPPort = 123

// resolveError marks an error in finding the address of a negotiated name.
type resolveError struct{ err error }

func (e *resolveError) Error() string { return e.err.Error() }
func (e *resolveError) Unwrap() error { return e.err }

func stageOfAddr(err error) Stage {
	var re *resolveError
	if errors.As(err, &re) {
		return StageResolve
	}
	return StageProtocol
}

// ntpAddr returns where the cookies of resp are to be sent; only the port if
// that is a name and there is no Resolve. ke is the address the key
// establishment ran with.
func (c *Client) ntpAddr(ctx context.Context, ke netip.Addr, resp nts.Response) (netip.AddrPort, error) {
	port := resp.Port
	if port == 0 {
		port = defaultNTPPort
	}
	// RFC 8915 §4.1.7: without the record "at the same IP address as the NTS-KE
	// server", which is not what its name means at another time.
	if resp.Server == "" {
		return netip.AddrPortFrom(ke, port), nil
	}
	if addr, err := netip.ParseAddr(resp.Server); err == nil {
		addr = addr.Unmap()
		if !usable(addr) {
			return netip.AddrPort{}, fmt.Errorf("%w: NTP server %v", nts.ErrResponse, addr)
		}
		if addr.IsLinkLocalUnicast() && addr.Is6() {
			addr = addr.WithZone(ke.Zone()) // the record cannot carry one
		}
		return netip.AddrPortFrom(addr, port), nil
	}
	if c.Resolve == nil {
		return netip.AddrPortFrom(netip.Addr{}, port), nil
	}
	addr, err := c.resolve(ctx, ke, resp.Server)
	if err != nil {
		return netip.AddrPort{}, &resolveError{fmt.Errorf("NTP server %s: %w", resp.Server, err)}
	}
	return netip.AddrPortFrom(addr, port), nil
}

// resolve finds an address of name, in the family of the key establishment if
// there is one: that family works.
func (c *Client) resolve(ctx context.Context, ke netip.Addr, name string) (netip.Addr, error) {
	// RFC 8915 §4.1.7: "the recipient MUST treat it as a FQDN, e.g., by making
	// sure it ends with a dot", so no search list.
	addrs, err := c.Resolve(ctx, strings.TrimSuffix(name, ".")+".")
	if err != nil {
		return netip.Addr{}, err
	}
	var found netip.Addr
	for _, a := range addrs {
		a = a.Unmap()
		switch {
		case !usable(a):
		case a.Is4() == ke.Unmap().Is4():
			return a, nil
		case !found.IsValid():
			found = a
		}
	}
	if !found.IsValid() {
		return found, errors.New("the name has no usable address")
	}
	return found, nil
}

func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
