package ctl

import (
	"os"
	"slices"
	"strings"

	"ntsd/internal/config"
)

// elsewhere says what there is in place of other programs' commands that
// ntsctl does not have: a line for some names, and the answer.
const elsewhere = `
minpoll maxpoll maxdelay maxdelayratio maxdelaydevratio offset selectopts: an option of the source in /etc/config/ntsd, put in force by ntsctl reload
polltarget minstratum maxupdateskew: ntsd has nothing like it
reselectdist: an option of section selection in /etc/config/ntsd, put in force by ntsctl reload
reselect: not needed, every sample selects anew
allow deny local: a section of /etc/config/ntsd, put in force by ntsctl reload
cmdallow cmddeny cmdaccheck: whoever may enter the folder of the socket may command
manual settime: the clock is set by servers; where there are none, date -s sets it
trimrtc writertc: the kernel sets the clock chip (option rtcsync)
cyclelogs: not needed, the files of section statistics are one for each day
reset: RESTART forgets all measurements
shutdown: STOP
dns: -n shows addresses
timeout retries: not needed, ntsctl asks a socket
rv readvar sysinfo kerninfo: ntsctl tracking -v
as associations pstats: ntsctl selectdata -v
apeers lpeers opeers pe: ntsctl peers
mrulist monstats: ntsctl clients
sysstats iostats: ntsctl serverstats -v
ntsinfo ntskeinfo: ntsctl nts
status timesync-status show-timesync: ntsctl tracking -v
validate: ntsd -p
`

// instead looks name up there.
func instead(name string) string {
	for entry := range strings.Lines(elsewhere) {
		names, answer, _ := strings.Cut(strings.TrimSpace(entry), ": ")
		if slices.Contains(strings.Fields(names), name) {
			return here(strings.NewReplacer("RESTART", service("restart"), "STOP", service("stop")).Replace(answer))
		}
	}
	return ""
}

// ConfigFolder is where this machine has the configuration.
func ConfigFolder() string {
	return config.Folder(func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// here has a text name the configuration where this machine has it.
func here(text string) string {
	return strings.ReplaceAll(text, config.UCIFolder+"/", ConfigFolder()+"/")
}

// service is the command that has the system start, stop or restart the daemon.
func service(action string) string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemctl " + action + " ntsd"
	}
	return "/etc/init.d/ntsd " + action
}
