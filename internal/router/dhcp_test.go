package router

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/interop"
)

// TestAdvertiseForReal: dnsmasq, told what OpenWrt's init script makes of our
// entry, names its own address as time server to a device on the LAN.
func TestAdvertiseForReal(t *testing.T) {
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		interop.Unavailable(t, "router: %v", err)
	}
	r := newRoot(t)
	r.config("config ntsd 'main'\nconfig serve 's'\n\toption advertise '1'\nconfig allow\n\toption interface 'lan'\n")
	r.run(nil, "/usr/share/ntsd/advertise")
	text, err := r.command("/bin/uci", "get", "dhcp.lan.dhcp_option").Output()
	if err != nil {
		t.Fatal(err)
	}

	lan := interop.NewNet(t)
	router, client := lan.Host("router"), lan.Host("client")
	server := router.Start(router.Command(context.Background(), "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--port=0",
		"--no-ping", "--dhcp-leasefile="+filepath.Join(router.Dir, "leases"), "--interface=eth0", "--bind-dynamic",
		"--dhcp-range=set:lan,192.0.2.100,192.0.2.150,255.255.255.0,12h", "--dhcp-option=lan,"+strings.TrimSpace(string(text))))
	router.WaitListen("udp", 67)

	script := filepath.Join(client.Dir, "lease")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ \"$1\" = bound ] && echo \"time from $ntpsrv\"\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := client.Command(ctx, "busybox", "udhcpc", "-f", "-q", "-n", "-t", "5", "-T", "1", "-i", "eth0", "-O", "ntpsrv", "-s", script).CombinedOutput()
	if want := "time from " + router.IPv4.String() + "\n"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("udhcpc: got %v, %s, want %q; dnsmasq:\n%s", err, out, want, server.Log())
	}
}
