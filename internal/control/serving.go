package control

// The commands about the NTP server.
const (
	CmdServerStats = "serverstats" // answers with a status.ServerStats
	CmdClients     = "clients"     // [LEAST [reset]]: answers with a list of status.Client
	CmdAccheck     = "accheck"     // ADDRESS: answers with a status.Access
	CmdNTSKeys     = "ntskeys"     // answers with a status.NTSKeys
	CmdCA          = "ca"          // [ArgRenew]: answers with a status.CA
)

// ResetClients as the second argument of CmdClients has those that are listed
// counted from 0 again.
const ResetClients = "reset"

// ArgRenew has CmdCA make a new authority.
const ArgRenew = "renew"
