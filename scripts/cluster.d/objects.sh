# shellcheck shell=bash
# Steps on inputs and outputs in object stores and behind web servers. A step goes here as a function and a line
# `step "what it shows" function` in objects_steps; scripts/cluster.d/world.sh has the job and what all results must equal.

objects_steps() {
    skip "inputs over HTTP and S3" "there are no such steps yet"
}
