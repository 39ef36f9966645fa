package control

// The commands about the NTP server.
const (
	CmdServerStats = "serverstats" // answers with a status.ServerStats
	CmdClients     = "clients"     // [LEAST [reset]]: answers with a list of status.Client
	CmdAccheck     = "accheck"     // ADDRESS: answers with a status.Access
)

// ResetClients as the second argument of CmdClients has those that are listed
// counted from 0 again.
const ResetClients = "reset"
