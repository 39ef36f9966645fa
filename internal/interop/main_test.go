package interop

import (
	"os"
	"testing"
)

// binDir is the folder that holds ntsd and its symlink ntsctl.
var binDir string //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) { os.Exit(RunTests(m, 8, &binDir)) }
