module ntsd

go 1.26.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/digineo/go-uci v0.0.0-20210918132103-37c7b10c14fa
	github.com/secure-io/siv-go v0.0.0-20180922214919-5ff40651e2c4
	golang.org/x/sys v0.49.0
)

require github.com/aead/cmac v0.0.0-20160719120800-7af84192f0b1 // indirect
