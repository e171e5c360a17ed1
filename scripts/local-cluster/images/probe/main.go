// Command probe does one small thing after another, so that a test can see from inside a pod what a pod may do:
//
//	probe env NAME -- write FILE TEXT -- sleep 60
//
// It ends with 1 at the first that fails.
package main

import (
	"fmt"
	"os"
	"strings"
)

var commands = map[string]struct {
	arguments int
	run       func([]string) error
}{
	"alloc": {1, alloc},
	"dns":   {1, lookUp},
	"env":   {1, printVariable},
	"exit":  {1, exit},
	"fill":  {2, fill},
	"get":   {1, get},
	"id":    {0, printIdentity},
	"read":  {1, read},
	"serve": {2, serve},
	"sleep": {1, sleep},
	"write": {2, write},
}

func main() {
	for _, words := range split(os.Args[1:]) {
		command, known := commands[words[0]]
		if !known || len(words)-1 < command.arguments {
			fail(fmt.Errorf("unknown command or too few arguments: %s", strings.Join(words, " ")))
		}
		if err := command.run(words[1:]); err != nil {
			fail(err)
		}
	}
}

// split cuts the arguments at every "--"; none at all means to wait.
func split(arguments []string) [][]string {
	var result [][]string
	var words []string
	for _, argument := range append(arguments, "--") {
		if argument != "--" {
			words = append(words, argument)
		} else if len(words) > 0 {
			result = append(result, words)
			words = nil
		}
	}
	if result == nil {
		return [][]string{{"sleep", "86400"}}
	}
	return result
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
