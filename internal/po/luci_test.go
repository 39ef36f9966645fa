package po

import "testing"

// TestTranslations: the template of LuCI's pages is what the pages say, and every
// language has all of it, with the placeholders of each text. "make po" brings the
// files up to date and says what is left to translate.
func TestTranslations(t *testing.T) {
	const folder = "../../luci/luci-app-ntsd"
	wrong, err := CheckFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range wrong {
		t.Error(line)
	}
	files, err := languages(folder)
	if err != nil || len(files) != 5 {
		t.Errorf("got the languages %q, %v, want five", files, err)
	}
}
