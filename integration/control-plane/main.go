// One binary of etcd, kube-apiserver, kube-controller-manager and kubectl: the
// first argument says which. The servers exit when their standard input closes,
// so that they end with the test that started them, whatever happens to it.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = `usage: control-plane COMPONENT [ARGS…]

  etcd | kube-apiserver | kube-controller-manager   run it until standard input closes
  kubectl                                           as kubectl
  guarded -- PROGRAM [ARGS…]                        run another program until standard input closes
  sweep DIRECTORY                                   remove a directory once standard input closes
`

func main() {
	// Linked under the name kubectl it is kubectl.
	if filepath.Base(os.Args[0]) == "kubectl" {
		runKubectl()
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	component := os.Args[1]
	exit := func() { os.Exit(0) }
	os.Args = append([]string{component}, os.Args[2:]...)

	switch component {
	case "etcd":
		onStdinClosed(exit)
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		onStdinClosed(exit)
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		onStdinClosed(exit)
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kubectl":
		runKubectl()
	case "guarded":
		guarded(os.Args[1:])
	case "sweep":
		sweep(os.Args[1:])
	default:
		fmt.Fprintf(os.Stderr, "unknown component %q\n%s", component, usage)
		os.Exit(2)
	}
}

func runKubectl() {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

// onStdinClosed calls end as soon as the other end of standard input is closed.
// The kernel closes it when the parent dies, even of SIGKILL, and unlike a
// parent death signal it does not depend on the thread that spawned this process.
func onStdinClosed(end func()) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
}

// guarded runs a program that does not watch its standard input and kills it
// when ours closes. It exits after the program is gone, so who waits for this
// process knows that the program's ports are free.
func guarded(args []string) {
	if len(args) < 2 || args[0] != "--" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	child := exec.Command(args[1], args[2:]...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot start %s: %v\n", args[1], err)
		os.Exit(127)
	}
	onStdinClosed(func() { _ = child.Process.Kill() })
	if err := child.Wait(); err != nil {
		fmt.Fprintf(os.Stderr, "%s ended: %v\n", args[1], err)
		os.Exit(1)
	}
}

// sweep removes the servers' files when the parent is gone and cannot do it
// itself. The servers end at the same moment and may still be writing, so it
// tries for a while.
func sweep(args []string) {
	if len(args) != 1 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	for range 50 {
		if err := os.RemoveAll(args[0]); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
