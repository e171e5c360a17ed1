package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func printVariable(arguments []string) error {
	value, set := os.LookupEnv(arguments[0])
	if !set {
		return fmt.Errorf("%s is not set", arguments[0])
	}
	fmt.Printf("%s=%s\n", arguments[0], value)
	return nil
}

func printIdentity([]string) error {
	groups, err := os.Getgroups()
	fmt.Printf("uid=%d gid=%d groups=%v\n", os.Getuid(), os.Getgid(), groups)
	return err
}

func exit(arguments []string) error {
	code, err := strconv.Atoi(arguments[0])
	if err == nil {
		os.Exit(code)
	}
	return err
}

func write(arguments []string) error {
	return os.WriteFile(arguments[0], []byte(arguments[1]), 0o640)
}

func read(arguments []string) error {
	text, err := os.ReadFile(arguments[0])
	fmt.Printf("%s\n", text)
	return err
}

// fill writes so many MiB to a file.
func fill(arguments []string) error {
	megabytes, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	file, err := os.Create(arguments[0])
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for range megabytes {
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	return file.Close()
}

// alloc takes so many MiB of memory and touches every page, then goes on.
func alloc(arguments []string) error {
	megabytes, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	for range megabytes {
		block := make([]byte, 1<<20)
		for page := 0; page < len(block); page += 4096 {
			block[page] = 1
		}
		held = append(held, block)
	}
	fmt.Printf("holds %d MiB\n", len(held))
	return nil
}

var held [][]byte

// sleep SECONDS [LINGER]: ends early with 0 when told to, LINGER seconds after the signal.
func sleep(arguments []string) error {
	duration, err := seconds(arguments[0])
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	select {
	case <-time.After(duration):
		return nil
	case <-end:
	}
	fmt.Println("told to end")
	if len(arguments) > 1 {
		linger, err := seconds(arguments[1])
		if err != nil {
			return err
		}
		time.Sleep(linger)
	}
	fmt.Println("ends in order")
	os.Exit(0)
	return nil
}

func seconds(text string) (time.Duration, error) {
	number, err := strconv.ParseFloat(text, 64)
	return time.Duration(number * float64(time.Second)), err
}

// serve PORT TEXT: answers every request with the text.
func serve(arguments []string) error {
	return http.ListenAndServe(":"+arguments[0], http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(response, arguments[1])
	}))
}

// get URL: prints the answer; what listens may need a moment.
func get(arguments []string) error {
	client := http.Client{Timeout: 5 * time.Second}
	var last error
	for range 20 {
		response, err := client.Get(arguments[0])
		if err == nil {
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			fmt.Printf("%d %s\n", response.StatusCode, body)
			return err
		}
		last = err
		time.Sleep(500 * time.Millisecond)
	}
	return last
}

// dns NAME [SERVER]
func lookUp(arguments []string) error {
	resolver := net.Resolver{PreferGo: true}
	if len(arguments) > 1 {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, arguments[1])
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, arguments[0])
	fmt.Println(arguments[0], addresses)
	return err
}
