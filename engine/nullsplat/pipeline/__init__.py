"""From a measured volume to a super-resolved one: plan, stage 1, stage 2, consistency, report."""
