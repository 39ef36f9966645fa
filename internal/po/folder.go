package po

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TemplateFile is the template in an application's folder; a language's file is
// po/LANG/ntsd.po.
const TemplateFile = "po/templates/ntsd.pot"

// ScanFolder returns the template of an application's sources: what the pages,
// the menu and the access lists under folder say.
func ScanFolder(folder string) (*Catalog, error) {
	var found []Message
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil || !strings.HasPrefix(name, "htdocs") && !strings.HasPrefix(name, "root") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		messages, err := Scan(filepath.ToSlash(name), text)
		found = append(found, messages...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return Template(found)
}

// languages returns the languages' files.
func languages(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "po/*/ntsd.po"))
	slices.Sort(files)
	return files, err
}

// read parses a file.
func read(file string) (*Catalog, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Update writes the template of an application anew, and every language by it.
func Update(folder string) error {
	template, err := ScanFolder(folder)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, TemplateFile), template.Append(nil), 0o644); err != nil {
		return err
	}
	files, err := languages(folder)
	for _, file := range files {
		c, readErr := read(file)
		if readErr != nil {
			return readErr
		}
		err = errors.Join(err, os.WriteFile(file, Merge(template, c).Append(nil), 0o644))
	}
	return err
}

// CheckFolder says what is wrong with the translations of an application: a
// template that is not what the sources say, languages that are not complete.
func CheckFolder(folder string) ([]string, error) {
	template, err := ScanFolder(folder)
	if err != nil {
		return nil, err
	}
	var wrong []string
	have, err := os.ReadFile(filepath.Join(folder, TemplateFile))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(have, template.Append(nil)) {
		wrong = append(wrong, TemplateFile+" is not up to date: ntspo update "+folder)
	}
	files, err := languages(folder)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		c, err := read(file)
		if err != nil {
			return nil, err
		}
		for _, line := range Check(template, c) {
			wrong = append(wrong, filepath.Base(filepath.Dir(file))+": "+line)
		}
	}
	return wrong, nil
}
