// What others read our telemetry with, in one program: the receiver of the
// OpenTelemetry collector, and the parser of Prometheus.
//
//	telemetry otlp ADDRESS [CERTIFICATE KEY]
//	                         takes OTLP over gRPC, and writes each batch of
//	                         spans as a line of OTLP's JSON; until its standard
//	                         input closes, so that it ends with the test
//	telemetry openmetrics    reads a page of metrics from standard input, and
//	                         writes the names of its series, one a line
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "otlp":
		return otlp(arguments[1], configoptional.None[configtls.ServerConfig]())
	case len(arguments) == 4 && arguments[0] == "otlp":
		tls := configtls.NewDefaultServerConfig()
		tls.CertFile, tls.KeyFile = arguments[2], arguments[3]
		return otlp(arguments[1], configoptional.Some(tls))
	case len(arguments) == 1 && arguments[0] == "openmetrics":
		return openMetrics(bufio.NewReader(os.Stdin))
	}
	return errors.New("expected `otlp ADDRESS [CERTIFICATE KEY]` or `openmetrics`")
}

func otlp(address string, tls configoptional.Optional[configtls.ServerConfig]) error {
	ctx := context.Background()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	grpc := configgrpc.NewDefaultServerConfig()
	grpc.NetAddr.Endpoint = address
	grpc.TLS = tls
	config.Protocols.GRPC = configoptional.Some(grpc)
	config.Protocols.HTTP = configoptional.None[otlpreceiver.HTTPConfig]()

	lines := ptrace.JSONMarshaler{}
	sink, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		line, err := lines.MarshalTraces(traces)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	settings := receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
	traces, err := factory.CreateTraces(ctx, settings, config, sink)
	if err != nil {
		return err
	}
	if err := traces.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	// No graceful end: whoever closes our input wants us gone.
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func openMetrics(page io.Reader) error {
	text, err := io.ReadAll(page)
	if err != nil {
		return err
	}
	parser := textparse.NewOpenMetricsParser(text, labels.NewSymbolTable())
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry == textparse.EntrySeries {
			var series labels.Labels
			parser.Labels(&series)
			fmt.Println(series.Get(labels.MetricName))
		}
	}
}
