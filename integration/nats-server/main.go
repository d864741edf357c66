// nats-server, with JetStream. It is upstream's own command; the differences are
// that it exits when its standard input closes, so that it ends with the test,
// and that it takes nothing but a configuration file.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nats-server:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("one argument is expected: a configuration file")
	}
	options, err := server.ProcessConfigFile(arguments[0])
	if err != nil {
		return err
	}
	nats, err := server.NewServer(options)
	if err != nil {
		return err
	}
	nats.ConfigureLogger()
	if err := server.Run(nats); err != nil {
		return err
	}
	nats.WaitForShutdown()
	return nil
}
