package metrics

import "dropcap"

func kernelFamilies(s State) (all []*family) {
	if t := s.Tracer; t != nil {
		up := newFamily("dropcap_tracer_info", gauge,
			"The kernel hook that counts capability checks; always 1.")
		up.add(1, "hook", t.Hook)
		lost := newFamily("dropcap_tracer_lost_checks_total", counter,
			"Capability checks that were made and not recorded.")
		lost.add(float64(t.Lost))
		unknown := newFamily("dropcap_tracer_loss_unknown", gauge,
			"1 if the hook cannot count all that it misses, else 0.")
		unknown.add(number(t.LossUnknown))
		all = append(all, up, lost, unknown)
	}
	if l := s.Learning; l != nil {
		began := newFamily("dropcap_learn_start_timestamp_seconds", gauge,
			"When the recording began, in seconds since 1970.")
		began.addTime(l.Began)
		running := newFamily("dropcap_learn_containers", gauge,
			"Containers that are being recorded.")
		running.add(float64(l.Running))
		recorded := newFamily("dropcap_learn_recorded_containers_total", counter,
			"Containers that have been recorded so far.")
		recorded.add(float64(l.Recorded))
		used := newFamily("dropcap_learn_capabilities", gauge,
			"Different capabilities that some container was granted during the recording.")
		used.add(float64(l.Capabilities))
		all = append(all, began, running, recorded, used)
	}
	return all
}

func watchFamilies(w *Watch) []*family {
	if w == nil {
		return nil
	}
	told := newFamily("dropcap_occurrences_total", counter, "What was told, by kind.")
	held := newFamily("dropcap_occurrences_held_back_total", counter,
		"What was not told one by one, since the same was told shortly before, or too much at "+
			"once, by kind.")
	for _, kind := range dropcap.OccurrenceKinds() {
		told.add(float64(w.Told[kind]), "kind", string(kind))
		held.add(float64(w.Held[kind]), "kind", string(kind))
	}
	sent := newFamily("dropcap_output_sent_total", counter, "Occurrences that an output took.")
	failed := newFamily("dropcap_output_failures_total", counter,
		"Attempts of an output that failed.")
	dropped := newFamily("dropcap_output_dropped_total", counter,
		"Occurrences that an output gave up, or had no room for.")
	queue := newFamily("dropcap_output_queue_length", gauge,
		"Occurrences that wait for an output.")
	for _, o := range w.Outputs {
		sent.add(float64(o.Sent), "output", o.Name)
		failed.add(float64(o.Failed), "output", o.Name)
		dropped.add(float64(o.Dropped), "output", o.Name)
		queue.add(float64(o.Queue), "output", o.Name)
	}
	return []*family{told, held, sent, failed, dropped, queue}
}
