package aws_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

// crowded returns the most requests to an API in a place within any second, by the cloud's clock.
func crowded(double *cloud.Cloud, api, region string) int {
	var at []time.Time
	most := 0
	for _, call := range double.Log() {
		if call.API != api || call.Region != region {
			continue
		}
		at = append(at, call.At)
		n := 0
		for _, before := range at {
			if call.At.Sub(before) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestNoAPIIsAskedMoreOftenThanItsRate(t *testing.T) {
	for _, rate := range []float64{0, 2, 20} {
		double, c := open(t, aws.Options{Rate: rate})
		double.Add(cloud.Node{ID: one, Simulated: answers("", 0)})
		sent, err := c.Send(t.Context(), script(one))
		if err != nil {
			t.Fatal(err)
		}
		double.Inject(cloud.Fault{Kind: cloud.Throttle, API: "ssm:ListCommandInvocations", Times: 3,
			After: 20})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for range 10 {
					if _, err := c.Poll(t.Context(), here, sent); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if rate == 0 {
			rate = aws.DefaultRate
		}
		// The arrivals of concurrent requests do not show when they were sent, but all of them
		// together must have taken their time.
		log := double.Log()
		n := double.Calls()["ssm:ListCommandInvocations"]
		least := time.Duration(float64(n-1) / rate * float64(time.Second))
		if took := log[len(log)-1].At.Sub(newClock().Now()); n != 53 || took < least {
			t.Errorf("%d requests in %s at a rate of %v", n, took, rate)
		}
	}
}

func TestOneAfterTheOtherTheRateIsExact(t *testing.T) {
	double, c := open(t, aws.Options{})
	for range 30 {
		if _, err := c.Poll(t.Context(), here, "00000000-0000-4000-8000-000000000000"); aws.Cause(
			err) != "unknown-command" {
			t.Fatal(err)
		}
	}
	if n := crowded(double, "ssm:ListCommandInvocations", east); n != aws.DefaultRate {
		t.Errorf("%d requests in a second", n)
	}
}

func TestPlacesDoNotWaitForEachOther(t *testing.T) {
	double, c := open(t, aws.Options{})
	before := len(double.Log())
	for k := range 10 {
		p := dropcap.Place{Account: cloud.DefaultAccount, Region: fmt.Sprintf("us-east-%d", k)}
		if _, err := c.Poll(t.Context(), p, "00000000-0000-4000-8000-000000000000"); aws.Cause(
			err) != "unknown-command" {
			t.Fatal(err)
		}
	}
	log := double.Log()[before:]
	if d := log[len(log)-1].At.Sub(log[0].At); d != 0 {
		t.Errorf("ten places were asked within %s, though none waits for another", d)
	}
}

func TestARateOutOfBoundsIsRefused(t *testing.T) {
	environment(t, "http://127.0.0.1:1", nil)
	for _, rate := range []float64{-1, 1e9} {
		if _, err := aws.Open(t.Context(), aws.Options{Rate: rate}); dropcap.ExitOf(
			err) != dropcap.ExitUsage {
			t.Errorf("%v: %v", rate, err)
		}
	}
}
