package ntske

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrNoRoots says that not one CA certificate was found.
var ErrNoRoots = errors.New("ntske: no CA certificate found: install the package ca-bundle or name a file in trustedcerts")

// systemBundles are the places of the system's CA bundle; the first with
// certificates in it counts.
func systemBundles() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt", // OpenWrt, Debian, Alpine
		"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
		"/etc/ssl/ca-bundle.pem",             // SUSE
		"/etc/ssl/cert.pem",                  // OpenWrt's second name for its bundle, Alpine
		"/etc/ssl/certs",                     // OpenWrt's ca-certificates: single files
	}
}

// LoadRoots returns the CA certificates of the system, if asked for, and of
// files, each a PEM file or a folder of them. Call it for each key
// establishment and drop the result. The pool keeps only the encoded
// certificates, 0.2 MB of them, and parses those that a chain needs;
// x509.SystemCertPool would keep its copy for ever.
func LoadRoots(systemCerts bool, files []string) (*x509.CertPool, error) {
	if systemCerts {
		return loadRoots(systemBundles(), files)
	}
	return loadRoots(nil, files)
}

// loadRoots reads the first of bundles that has certificates, and all files.
func loadRoots(bundles, files []string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	found := 0
	for _, path := range bundles {
		n, err := addPath(pool, path)
		if err == nil && n > 0 {
			found += n
			break
		}
	}
	for _, path := range files {
		n, err := addPath(pool, path)
		if err != nil {
			return nil, fmt.Errorf("ntske: read CA certificates: %w", err)
		}
		if n == 0 {
			return nil, fmt.Errorf("ntske: no CA certificate in %s", path)
		}
		found += n
	}
	if found == 0 {
		return nil, ErrNoRoots
	}
	return pool, nil
}

// addPath adds a file, or the files of a folder, and returns how many files
// had a certificate.
func addPath(pool *x509.CertPool, path string) (int, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return addFile(pool, path) // not a folder
	}
	if len(entries) > maxRootsFiles {
		return 0, fmt.Errorf("%s holds more than %d files", path, maxRootsFiles)
	}
	found := 0
	for _, e := range entries {
		// What is no certificate or cannot be read is passed over: such
		// folders hold links and other things.
		n, err := addFile(pool, filepath.Join(path, e.Name()))
		if err == nil {
			found += n
		}
	}
	return found, nil
}

func addFile(pool *x509.CertPool, path string) (int, error) {
	pem, err := readRegular(path)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return 0, err
	}
	return 1, nil
}

// readRegular reads a PEM file in one piece: growing a buffer would leave a
// megabyte of garbage on a router that has little to spare.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path) // before opening, which would hang on a pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pem := make([]byte, info.Size())
	_, err = io.ReadFull(f, pem)
	return pem, err
}
