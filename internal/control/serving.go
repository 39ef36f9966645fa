package control

// The commands about the NTP server.
const (
	CmdServerStats = "serverstats" // answers with a status.ServerStats
	CmdClients     = "clients"     // answers with a list of status.Client
	CmdAccheck     = "accheck"     // ADDRESS: answers with a status.Access
)
