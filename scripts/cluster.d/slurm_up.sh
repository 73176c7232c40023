# shellcheck shell=bash
# A Slurm of four nodes on this machine. Each node is a slurmd in a network namespace of its own, so that pulling its link
# is the loss of a node; where namespaces are not allowed, four slurmd on four ports of the loopback.
# Nothing outside the scratch folder is written; ports and names contain the process id, so that two may run at once.

scratch=${scratch:?}
slurm_net=10.77.$(($$ % 250))
slurm_port=$((20000 + $$ % 10000))
slurm_tag=n$(($$ % 100000))
slurm_nodes=4

slurm_install() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    command -v apt-get >/dev/null || return 1
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

slurm_namespaces() {
    local i bridge=${slurm_tag}b
    ip link add "$bridge" type bridge || return 1
    at_exit "ip link del $bridge"
    ip addr add "$slurm_net.1/24" dev "$bridge" && ip link set "$bridge" up || return 1
    for ((i = 1; i <= slurm_nodes; i++)); do
        ip netns add "${slurm_tag}h$i" || return 1
        at_exit "ip netns del ${slurm_tag}h$i"
        ip link add "${slurm_tag}v$i" type veth peer name eth0 netns "${slurm_tag}h$i" || return 1
        at_exit "ip link del ${slurm_tag}v$i"
        ip link set "${slurm_tag}v$i" master "$bridge" up || return 1
        ip -n "${slurm_tag}h$i" addr add "$slurm_net.1$i/24" dev eth0 || return 1
        ip -n "${slurm_tag}h$i" link set eth0 up && ip -n "${slurm_tag}h$i" link set lo up || return 1
    done
}

# Sets slurm_kind to namespaces or loopback and writes the configuration.
slurm_configure() {
    local i home=$scratch/slurm host
    host=$(hostname -s)
    mkdir -p "$home/state" "$home/log"
    slurm_kind=loopback
    if command -v ip >/dev/null && command -v nsenter >/dev/null && slurm_namespaces >"$home/log/namespaces" 2>&1; then
        slurm_kind=namespaces
    fi
    {
        echo "ClusterName=$slurm_tag"
        if [ "$slurm_kind" = namespaces ]; then
            echo "SlurmctldHost=$host($slurm_net.1)"
        else
            echo "SlurmctldHost=$host(127.0.0.1)"
        fi
        cat <<CONF
SlurmctldPort=$slurm_port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge/socket
CredType=cred/munge
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.%n.pid
SlurmctldLogFile=$home/log/slurmctld
SlurmdLogFile=$home/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=5
KillWait=5
# Finished jobs stay visible: there is no accounting to ask.
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
CONF
        for ((i = 1; i <= slurm_nodes; i++)); do
            mkdir -p "$home/spool/h$i"
            if [ "$slurm_kind" = namespaces ]; then
                echo "NodeName=h$i NodeHostname=$host NodeAddr=$slurm_net.1$i Port=$((slurm_port + i)) CPUs=1 RealMemory=2000"
            else
                echo "NodeName=h$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((slurm_port + i)) CPUs=1 RealMemory=2000"
            fi
        done
        echo "PartitionName=work Nodes=h[1-$slurm_nodes] Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=10 MaxTime=60"
        echo "PartitionName=urgent Nodes=h[1-$slurm_nodes] PriorityTier=10 PreemptMode=OFF MaxTime=60"
    } >"$home/slurm.conf"
    export SLURM_CONF=$home/slurm.conf
}

slurm_munge() {
    local home=$scratch/slurm/munge
    mkdir -p "$home"
    chmod 755 "$home"
    head -c 128 /dev/urandom >"$home/key"
    chmod 400 "$home/key"
    munged --force --foreground --socket="$home/socket" --key-file="$home/key" --pid-file="$home/pid" \
        --log-file="$home/log" --seed-file="$home/seed" >/dev/null 2>&1 &
    at_exit "kill $!"
    within test -S "$home/socket"
}

# Starts the slurmd of a node.
slurm_node() {
    # `ip netns exec` would mount another /sys, in which slurmd does not find its cgroups.
    local enter=()
    [ "$slurm_kind" = namespaces ] && enter=(nsenter "--net=/var/run/netns/${slurm_tag}h$1")
    setsid "${enter[@]}" slurmd -D -N "h$1" >/dev/null 2>&1 &
    at_exit "kill_tree $!"
}

slurm_idle() { [ "$(sinfo --noheader --partition=work --format='%D %T')" = "$slurm_nodes idle" ]; }

# The keepers of running jobs are no children of a slurmd: they and what they keep must be ended by themselves.
slurm_end_jobs() {
    local keeper
    timeout 5 scancel --user="$(id -un)"
    sleep 1
    for keeper in $(pgrep -x slurmstepd); do
        grep -qzxF "SLURM_CONF=$SLURM_CONF" "/proc/$keeper/environ" && kill_tree "$keeper"
    done
}

slurm_start() {
    local i
    slurm_munge || return 1
    setsid slurmctld -D >/dev/null 2>&1 &
    at_exit "kill -KILL $!"
    for ((i = 1; i <= slurm_nodes; i++)); do slurm_node "$i"; done
    at_exit slurm_end_jobs
    within slurm_idle
}
