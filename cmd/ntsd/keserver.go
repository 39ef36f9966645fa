package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/ntske"
	"ntsd/internal/responder"
)

// keServer is a running NTS-KE server.
type keServer struct {
	*ntske.Server
	pairs *ntske.KeyPairs
	files []string
	seen  []time.Time // when the files were last written, as read
	end   context.CancelFunc
	ended sync.WaitGroup
}

// listenKE starts an NTS-KE server on every address.
func listenKE(cfg config.NTSServer, g *responder.Grants) (responder.KE, error) {
	k := &keServer{}
	var files []ntske.KeyPairFiles
	for i := range cfg.Certs {
		files = append(files, ntske.KeyPairFiles{Cert: cfg.Certs[i], Key: cfg.Keys[i]})
		k.files = append(k.files, cfg.Certs[i], cfg.Keys[i])
	}
	k.seen = k.written()
	var err error
	if k.pairs, err = ntske.LoadKeyPairs(files...); err != nil {
		return nil, err
	}
	k.Server, err = ntske.NewServer(ntske.ServerConfig{
		Certificate: k.pairs.Certificate, Cookies: g, Admit: g.Admit, NTPServer: cfg.NTPServer, NTPPort: cfg.NTPPort,
		MaxConnections: cfg.MaxConnections, Timeout: cfg.Timeout,
	})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", fmt.Sprintf(":%d", cfg.Port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w; another program listens there", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	case err != nil:
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background()) // Close ends it
	k.end = end
	k.ended.Go(func() { _ = k.Serve(ctx, ln) })
	return k, nil
}

// written returns when each file was last written; zero where that cannot be
// told.
func (k *keServer) written() []time.Time {
	times := make([]time.Time, len(k.files))
	for i, f := range k.files {
		if info, err := os.Stat(f); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// Reload reads the certificates again if a file was written since.
func (k *keServer) Reload() error {
	now := k.written()
	changed := false
	for i := range now {
		changed = changed || !now[i].Equal(k.seen[i])
	}
	if !changed {
		return nil
	}
	if err := k.pairs.Reload(); err != nil {
		return err // and tried again the next time
	}
	k.seen = now
	return nil
}

// Counts returns the connections served and refused.
func (k *keServer) Counts() (accepted, dropped uint64) {
	c := k.Counters()
	return c.Accepted, c.Dropped
}

// Close ends the server and waits for its connections.
func (k *keServer) Close() error {
	k.end()
	k.ended.Wait()
	return nil
}
