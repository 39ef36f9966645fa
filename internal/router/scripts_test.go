package router

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// TestStart: without ujail the daemon changes its user itself; with it procd
// puts it into a jail that has folders only, and all that its configuration
// names.
func TestStart(t *testing.T) {
	r := newRoot(t)
	calls := r.run(nil, "/etc/init.d/ntsd", "start")
	has(t, calls, "procd_open_instance ", "procd_set_param command /usr/sbin/ntsd -l syslog",
		"procd_set_param respawn", "procd_append_param command -u ntp", "procd_close_instance ",
		"procd_add_reload_trigger ntsd system network dhcp", "procd_add_validation validate_main")
	lacks(t, calls, "procd_add_jail", "capabilities")
	for dir, want := range map[string]fs.FileMode{"var/run/ntsd": 0o750, "etc/ntsd/state": 0o700} {
		if fi, err := os.Stat(r.path(dir)); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want mode %o", dir, fi, err, want)
		}
	}

	r.write("sbin/ujail", "", 0o755)
	for _, dir := range []string{"etc/own", "etc/tls", "srv", "etc/keys", "etc/secrets", "etc/others", "var/run/ubus"} {
		r.write(dir+"/file", "", 0o644)
	}
	r.config(`
config ntsd 'main'
config server
	option hostname 'a.example'
	list trustedcerts '/etc/own/file'
config nts_server
	list cert '/etc/tls/file'
	list key '/etc/tls/file'
	option keys_file '/etc/keys/file'
config statistics
	option dir '/tmp/stats'
config key
	option secret_file '/nowhere/secret'
config key
	option secret_file '/etc/secrets/file'
config keyfile
	option file '/etc/others/file'
config monitor
	option chrony_socket '/var/run/chrony/chronyd.sock'
	option metrics '/var/prometheus/ntsd.prom'
`)
	calls = r.run(nil, "/etc/init.d/ntsd", "start")
	has(t, calls, "procd_add_jail ntsd log",
		"procd_add_jail_mount /etc/config /etc/passwd /etc/group /etc/ssl /var/run/ubus /etc/own /etc/tls /etc/secrets /etc/others",
		"procd_add_jail_mount_rw /var/run/ntsd /etc/ntsd/state /etc/keys /tmp/stats /var/prometheus /var/run/chrony",
		"procd_set_param capabilities /etc/capabilities/ntsd.json", "procd_set_param user ntp",
		"procd_set_param group ntp", "procd_set_param no_new_privs 1", "procd_close_instance ")
	lacks(t, calls, "-u ntp", "nowhere")
	chrony := r.path("var/run/chrony")
	if fi, err := os.Stat(chrony); err != nil || fi.Mode().Perm() != 0o770 {
		t.Errorf("the folder of chronyc's socket: got %v, %v, want mode 770", fi, err)
	}
	if fi, err := os.Stat(r.path("tmp/stats")); err != nil || !fi.IsDir() {
		t.Errorf("the folder of statistics: got %v, %v", fi, err)
	}
	// One that is there already keeps its mode and owner.
	if err := os.Chmod(chrony, 0o711); err != nil {
		t.Fatal(err)
	}
	r.run(nil, "/etc/init.d/ntsd", "start")
	if fi, err := os.Stat(chrony); err != nil || fi.Mode().Perm() != 0o711 {
		t.Errorf("somebody's folder: got %v, %v, want mode 711", fi, err)
	}
}

// TestReferenceClocks: with them there is no jail: it would have shared memory of
// its own, and no device that comes later.
func TestReferenceClocks(t *testing.T) {
	r := newRoot(t)
	r.write("sbin/ujail", "", 0o755)
	r.config("config ntsd 'main'\nconfig refclock\n\toption driver 'SHM'\n\toption parameter '0'\n" +
		"config monitor\n\toption metrics '/var/prometheus/ntsd.prom'\nconfig statistics\n\toption dir '/var/stats/ntsd'\n")
	calls := r.run(nil, "/etc/init.d/ntsd", "start")
	has(t, calls, "procd_append_param command -u ntp")
	lacks(t, calls, "procd_add_jail")
	for _, dir := range []string{"var/prometheus", "var/stats/ntsd"} { // which its user could not make
		if fi, err := os.Stat(r.path(dir)); err != nil || !fi.IsDir() {
			t.Errorf("a folder for its files: got %v, %v", fi, err)
		}
	}
}

// TestSwitchedOff: nothing runs, but the triggers wait for the option to
// change.
func TestSwitchedOff(t *testing.T) {
	r := newRoot(t)
	r.config("config ntsd 'main'\n\toption enabled '0'\nconfig serve 's'\n\toption intercept '1'\n\toption advertise '1'\nconfig allow\n\toption interface 'lan'\n")
	calls := r.run(nil, "/etc/init.d/ntsd", "start")
	has(t, calls, "procd_add_reload_trigger ntsd system network dhcp")
	lacks(t, calls, "procd_open_instance", "nft -f", "add_list")
}

// TestInvalidOption: a misspelt option costs what the daemon makes of it, not the
// time.
func TestInvalidOption(t *testing.T) {
	r := newRoot(t)
	r.write("invalid", "", 0o644)
	for _, action := range []string{"start", "reload"} {
		has(t, r.run(nil, "/etc/init.d/ntsd", action),
			"logger -t ntsd -p daemon.err section 'ntsd' of /etc/config/ntsd is not valid and does not count; ntsd -p says why",
			"procd_set_param command /usr/sbin/ntsd -l syslog", "procd_close_instance ")
	}
}

// TestReload: the daemon reads its file again by itself, and finds the folders
// that it names; what procd knows of it is said again, and procd restarts it when
// that is something else.
func TestReload(t *testing.T) {
	r := newRoot(t)
	r.config("config ntsd 'main'\nconfig statistics\n\toption dir '/var/stats/new'\n")
	r.write("signalled", "#!/bin/sh\n[ -d /var/stats/new ] && echo there >>/calls\n", 0o755)
	has(t, r.run(nil, "/etc/init.d/ntsd", "reload"), "procd_send_signal ntsd * HUP", "there", "procd_set_param command /usr/sbin/ntsd -l syslog")
}

// TestShutdown: the flash must not be unmounted before the state is on it.
func TestShutdown(t *testing.T) {
	r := newRoot(t)
	has(t, r.run(nil, "/etc/init.d/ntsd", "shutdown"), "procd_send_signal ntsd * TERM", "nft delete table inet ntsd_intercept")
}

// TestOtherDaemons: who keeps the clock too is named with what to do; sysntpd,
// which LuCI's time page starts again, is stopped where we had switched it off.
func TestOtherDaemons(t *testing.T) {
	r := newRoot(t)
	r.service("chronyd", true)
	calls := r.run(nil, "/etc/init.d/ntsd", "start")
	for _, name := range []string{"sysntpd", "chronyd"} {
		has(t, calls, "logger -t ntsd -p daemon.warn "+name+" runs too: two daemons spoil the clock; /etc/init.d/"+name+" disable; /etc/init.d/"+name+" stop")
	}
	r.defaults()
	calls = r.run(nil, "/etc/init.d/ntsd", "reload")
	has(t, calls, "procd_send_signal sysntpd * TERM", "logger -t ntsd -p daemon.notice sysntpd was started again and is stopped: ntsd keeps the clock")
}

// TestInstallAndRemove: sysntpd rests while ntsd is installed, and comes back;
// who had it off finds it off; an upgrade touches nothing.
func TestInstallAndRemove(t *testing.T) {
	r := newRoot(t)
	has(t, r.defaults(), "uci set firewall.ntsd=include", "uci set firewall.ntsd.reload=1", "uci commit firewall", "procd_send_signal sysntpd * TERM")
	if r.exists("etc/rc.d/S98sysntpd") {
		t.Error("sysntpd is still enabled")
	}
	if calls := r.defaults(); calls != "" {
		t.Errorf("again: got %s", calls)
	}
	r.write("sbin/fw4", "", 0o755) // the firewall of a newer release, with the configuration kept
	has(t, r.defaults(), "uci set firewall.ntsd.fw4_compatible=1", "uci commit firewall")
	if text, err := os.ReadFile(r.path("etc/config/firewall")); err != nil || strings.Contains(string(text), "reload") || !strings.Contains(string(text), "fw4_compatible") {
		t.Errorf("what is left of the older firewall's option: %v, %s", err, text)
	}

	r.config("config ntsd 'main'\nconfig serve 's'\n\toption intercept '1'\n\toption advertise '1'\nconfig allow\n\toption interface 'lan'\n")
	r.run(nil, "/etc/init.d/ntsd", "start")
	r.service("sysntpd", false) // switched on again by somebody
	lacks(t, r.script("prerm-pkg", "PKG_UPGRADE=1")+r.script("postrm-pkg", "PKG_UPGRADE=1")+r.defaults("PKG_UPGRADE=1"), "nft", "uci", "sysntpd")

	calls := r.script("prerm-pkg") + r.script("postrm-pkg")
	has(t, calls, "nft delete table inet ntsd_intercept", "uci del_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci del_list dhcp.lan.ntp=fd00:1::1",
		"uci delete firewall.ntsd", "sysntpd starts")
	if !r.exists("etc/rc.d/S98sysntpd") || r.exists("etc/ntsd/sysntpd-was-on") || r.exists("etc/ntsd/advertised") {
		t.Error("not all is as it was")
	}

	// An old configuration does not say what is the default; dnsmasq asks for it.
	r.write("etc/config/system", "config timeserver 'ntp'\n", 0o644)
	has(t, r.defaults(), "procd_send_signal sysntpd * TERM", "uci set system.ntp.enabled=1", "uci commit system")
	r.script("postrm-pkg")

	r.write("etc/config/system", "config timeserver 'ntp'\n\toption enabled '0'\n", 0o644)
	lacks(t, r.defaults()+r.script("prerm-pkg")+r.script("postrm-pkg"), "sysntpd")
	if !r.exists("etc/rc.d/S98sysntpd") {
		t.Error("sysntpd's link is gone, though it was off by its option")
	}
}

// TestIntercept: requests that the LAN sends elsewhere come to us, plain ones
// only, from the LAN only; by nft where there is nft, else by iptables, which
// fw3 has beside an nft, too. Without a server, running, nothing is caught.
func TestIntercept(t *testing.T) {
	r := newRoot(t)
	const script = "/usr/share/ntsd/intercept"
	const allow = "config allow\n\tlist interface 'lan'\n\tlist interface 'wan'\n\tlist interface 'guest'\n\tlist interface 'not_there_and_no_device'\n\tlist interface 'odd\"one'\n"
	serve := func(options string) {
		r.config("config ntsd 'main'\nconfig serve 's'\n\toption intercept 'yes'\n" + options + allow)
	}
	serve("")
	rule := func(port string) string {
		return "nft -f - table inet ntsd_intercept {} delete table inet ntsd_intercept table inet ntsd_intercept { chain ntsd_intercept { " +
			"type nat hook prerouting priority dstnat - 5; policy accept; " +
			`iifname { "br-lan", "guest" } udp dport 123 udp length 56 fib daddr type != { local, broadcast, multicast, anycast } counter redirect to :` + port + ` } }`
	}
	if calls := r.run(nil, script); calls != "nft delete table inet ntsd_intercept\n" {
		t.Errorf("while ntsd does not run: got %s", calls)
	}
	r.write("running/ntsd", "", 0o644)
	has(t, r.run(nil, script),
		`logger -t ntsd -p daemon.warn intercept: device 'odd"one' has a name that is no good for firewall rules`, rule("123"))
	const undone = "nft delete table inet ntsd_intercept"
	has(t, r.run(nil, "/etc/init.d/ntsd", "start"), "procd_close_instance ", rule("123"))
	for options, want := range map[string]string{
		"\toption enabled '0'\n":                   undone,
		"\tlist port '1123'\n\tlist port '2123'\n": rule("1123"),
		"\tlist port '1123'\n\tlist port '123'\n":  rule("123"),
	} {
		serve(options)
		has(t, r.run(nil, script), want)
	}

	serve("")
	r.write("sbin/fw3", "", 0o755)
	r.write("bin/iptables", "#!/bin/sh\necho \"iptables $*\" >>/calls\n[ \"$4\" != -D ] && [ \"$4\" != -C ]\n", 0o755)
	r.write("bin/iptables-restore", "#!/bin/sh\necho \"restore $*\" >>/calls; cat >>/calls\n", 0o755)
	has(t, r.run(nil, script), "restore -w --noflush", "*nat", ":ntsd_intercept - [0:0]",
		"-A ntsd_intercept -i br-lan -p udp --dport 123 -m length --length 76 -m addrtype ! --dst-type LOCAL,BROADCAST,MULTICAST,ANYCAST -j REDIRECT --to-ports 123",
		"-A ntsd_intercept -i guest -p udp --dport 123 -m length --length 76 -m addrtype ! --dst-type LOCAL,BROADCAST,MULTICAST,ANYCAST -j REDIRECT --to-ports 123",
		"COMMIT", "iptables -w -t nat -I PREROUTING -j ntsd_intercept")
	r.write("bin/iptables-restore", "#!/bin/sh\ncat >/dev/null; exit 1\n", 0o755)
	has(t, r.run(nil, script), "logger -t ntsd -p daemon.warn intercept: iptables lacks a match; install iptables-mod-extra and iptables-mod-ipopt")
	lacks(t, r.run(nil, script, "stop"), "-A", "-I", "nft")
	r.run(nil, "/bin/rm", "/bin/iptables", "/bin/nft")
	has(t, r.run(nil, script), "logger -t ntsd -p daemon.warn intercept: neither nft nor iptables is installed")
	r.link("standin", "nft")
	r.write("sbin/fw4", "", 0o755) // which is called fw3, too
	has(t, r.run(nil, script), rule("123"))
}

// TestAdvertise: the LAN hears of us by DHCP, unless somebody said otherwise,
// once however often it is asked for, and no more when it is switched off.
func TestAdvertise(t *testing.T) {
	r := newRoot(t)
	const on = "config ntsd 'main'\nconfig serve 's'\n\toption advertise '1'\nconfig allow\n\tlist interface 'lan'\n\tlist interface 'wan'\n"
	r.config(on)
	r.write("changes", "dhcp.lan.start='9'\n", 0o644)
	if calls := r.run(nil, "/usr/share/ntsd/advertise"); calls != "" {
		t.Errorf("while somebody edits: got %s", calls)
	}
	_ = os.Remove(r.path("changes"))
	has(t, r.run(nil, "/usr/share/ntsd/advertise"), "uci add_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci add_list dhcp.lan.ntp=fd00:1::1", "uci commit dhcp")
	if calls := r.run(nil, "/usr/share/ntsd/advertise"); calls != "" {
		t.Errorf("again: got %s", calls)
	}
	r.write("down", "", 0o644) // as early in a boot
	if calls := r.run(nil, "/usr/share/ntsd/advertise"); calls != "" {
		t.Errorf("while the LAN is down: got %s", calls)
	}
	_ = os.Remove(r.path("down"))
	r.config(strings.Replace(on, "'s'", "'s'\n\tlist port '1123'\n\tlist port '123'", 1))
	if calls := r.run(nil, "/usr/share/ntsd/advertise"); calls != "" {
		t.Errorf("with another port, too: got %s", calls)
	}
	for _, off := range []string{"\toption enabled '0'", "\tlist port '1123'"} {
		r.config(strings.Replace(on, "'s'", "'s'\n"+off, 1))
		has(t, r.run(nil, "/usr/share/ntsd/advertise"), "uci del_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci commit dhcp")
		r.config(on)
		has(t, r.run(nil, "/usr/share/ntsd/advertise"), "uci add_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci commit dhcp")
	}
	r.config("config ntsd 'main'\n")
	has(t, r.run(nil, "/usr/share/ntsd/advertise"), "uci del_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci del_list dhcp.lan.ntp=fd00:1::1", "uci commit dhcp")

	r.write("etc/config/dhcp", "config dhcp 'lan'\n\tlist dhcp_option '42,192.0.2.1'\n\tlist ntp '2001:db8::9'\n", 0o644)
	r.config(on)
	lacks(t, r.run(nil, "/usr/share/ntsd/advertise"), "add_list", "commit")

	r.write("etc/config/dhcp", "config dhcp 'lan'\nconfig odhcpd 'odhcpd'\n\toption maindhcp '1'\n", 0o644)
	has(t, r.run(nil, "/usr/share/ntsd/advertise"), "uci add_list dhcp.lan.dhcp_option=42,0.0.0.0", "uci add_list dhcp.lan.ntp=192.0.2.1", "uci add_list dhcp.lan.ntp=fd00:1::1")
	r.write("down", "", 0o644)
	if calls := r.run(nil, "/usr/share/ntsd/advertise"); calls != "" {
		t.Errorf("odhcpd alone, while the LAN is down: got %s", calls)
	}
	_ = os.Remove(r.path("down"))
	has(t, r.run(nil, "/usr/share/ntsd/advertise", "stop"), "uci del_list dhcp.lan.ntp=192.0.2.1", "uci del_list dhcp.lan.ntp=fd00:1::1", "uci commit dhcp")

	// Where there is no IPv6 a new address takes the place of the old one.
	r.write("lan4", "192.0.2.1\n", 0o644)
	r.run(nil, "/usr/share/ntsd/advertise")
	r.write("lan4", "198.51.100.1\n", 0o644)
	calls := r.run(nil, "/usr/share/ntsd/advertise")
	has(t, calls, "uci del_list dhcp.lan.ntp=192.0.2.1", "uci add_list dhcp.lan.ntp=198.51.100.1", "uci commit dhcp")
	lacks(t, calls, "add_list dhcp.lan.ntp=192.0.2.1")
	r.run(nil, "/usr/share/ntsd/advertise", "stop")
	_ = os.Remove(r.path("lan4"))

	r.write("etc/config/dhcp", "config dhcp 'lan'\n", 0o644)
	_ = os.RemoveAll(r.path("etc/ntsd"))
	r.write("etc/ntsd", "", 0o644) // nothing can be written down
	calls = r.run(nil, "/usr/share/ntsd/advertise")
	has(t, calls, "logger -t ntsd -p daemon.warn advertise: nothing is announced, /etc/ntsd/advertised cannot be written", "uci revert dhcp")
	lacks(t, calls, "commit")
}

// TestHotplug: links and captive portals; nothing of our own comes back to us,
// and nothing is said to a daemon that does not run.
func TestHotplug(t *testing.T) {
	r := newRoot(t)
	const iface, ntp = "/etc/hotplug.d/iface/95-ntsd", "/etc/hotplug.d/ntp/90-ntsd"
	lacks(t, r.run([]string{"ACTION=ifup"}, "/bin/sh", iface), "ntsctl")
	r.socket("var/run/ntsd/ntsd.sock")
	for _, action := range []string{"ifup", "ifdown", "ifupdate"} {
		has(t, r.run([]string{"ACTION=" + action}, "/bin/sh", iface), "ntsctl onoffline")
	}
	lacks(t, r.run([]string{"ACTION=iflink"}, "/bin/sh", iface), "ntsctl")

	// The LAN that is up now had no device and no address before.
	r.config("config ntsd 'main'\nconfig serve 's'\n\toption advertise '1'\n\toption intercept '1'\nconfig allow\n\toption interface 'lan'\n")
	r.write("running/ntsd", "", 0o644)
	calls := r.run([]string{"ACTION=ifup"}, "/bin/sh", iface)
	has(t, calls, "uci add_list dhcp.lan.ntp=fd00:1::1", "ntsctl onoffline")
	if !strings.Contains(calls, `iifname { "br-lan" }`) {
		t.Errorf("nothing is caught: %s", calls)
	}
	lacks(t, r.run([]string{"ACTION=ifdown"}, "/bin/sh", iface), "nft", "uci")
	has(t, r.run([]string{"ACTION=stratum"}, "/bin/sh", ntp), "ntsctl onoffline", "ntsctl burst 1/2")
	lacks(t, r.run([]string{"ACTION=stratum", "NTSD=1"}, "/bin/sh", ntp), "ntsctl")
}
