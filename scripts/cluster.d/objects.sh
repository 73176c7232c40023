# shellcheck shell=bash
# Steps on inputs behind web servers and in object stores, and on outputs there: nginx, which writes down every request, and
# moto, a stand-in for S3. Shards share nothing but the store: each has a work folder of its own, as a machine has.

scratch=${scratch:?}
root=${root:?}
nalcms=${nalcms:?}
shards=${shards:?}
objects_python=$root/.venv/bin/python
web_port=$((32000 + $$ % 2000))
s3_port=$((34000 + $$ % 2000))

# The world behind nginx; its log has a line for each request: status, bytes, path.
web_up() {
    mkdir -p "$scratch/web"
    cat >"$scratch/web/nginx.conf" <<CONF
daemon off; master_process off; pid $scratch/web/pid; error_log $scratch/web/errors.log;
events {}
http {
    log_format line '\$status \$body_bytes_sent \$uri';
    access_log $scratch/web/requests.log line;
    client_body_temp_path $scratch/web/a; proxy_temp_path $scratch/web/b; fastcgi_temp_path $scratch/web/c;
    uwsgi_temp_path $scratch/web/d; scgi_temp_path $scratch/web/e;
    server { listen 127.0.0.1:$web_port; root $scratch/world; }
}
CONF
    nginx -p "$scratch/web" -c "$scratch/web/nginx.conf" >"$scratch/web/out.log" 2>&1 &
    at_exit "kill $!"
    within curl --silent --output /dev/null "http://127.0.0.1:$web_port/"
}

# A store for S3 with the world in bucket `maps`, and an empty bucket `made`.
s3_up() {
    "$objects_python" -m moto.server -H 127.0.0.1 -p "$s3_port" >"$scratch/moto.log" 2>&1 &
    at_exit "kill $!"
    within curl --silent --output /dev/null "http://127.0.0.1:$s3_port/"
    s3 <<'PY'
import pathlib, sys
for bucket in ("maps", "made"):
    store.create_bucket(Bucket=bucket)
world = pathlib.Path(sys.argv[1])
for path in world.rglob("*.*"):
    store.upload_file(str(path), "maps", str(path.relative_to(world)))
PY
}

# s3 <<PY: some Python with a client called `store`; its first argument is the folder of the world.
s3() {
    {
        cat <<PY
import boto3
store = boto3.client("s3", endpoint_url="http://127.0.0.1:$s3_port", region_name="us-east-1",
                     aws_access_key_id="test", aws_secret_access_key="test")
PY
        cat
    } | "$objects_python" - "$scratch/world"
}

# in_store command…: with what makes GDAL take moto for S3.
in_store() {
    env AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_S3_ENDPOINT="127.0.0.1:$s3_port" \
        AWS_HTTPS=NO AWS_VIRTUAL_HOSTING=FALSE GDAL_HTTP_RETRY_DELAY=0.1 "$@"
}

objects_up() {
    web_up
    s3_up
}

# remote_job NAME INPUTS OUTPUT: the job with its inputs and its output elsewhere; files are named one by one.
remote_job() {
    job "$1"
    python3 - "$scratch/$1.toml" "$scratch/world" "$2" "$3" <<'PY'
import glob, json, re, sys
path, world, inputs, output = sys.argv[1:]
text = re.sub(r"(?m)^output .*", f'output = "{output}"', open(path).read())
def there(match):
    return json.dumps([inputs + name[len(world):] for name in sorted(glob.glob(match[1]))] if "*" in match[1] else inputs + match[1][len(world):])
open(path, "w").write(re.sub(f'"({world}/[^"]*)"', there, text))
PY
}

# Tables and maps of inputs behind a web server are those of inputs on disk; nothing but them was asked for.
web_inputs() {
    remote_job web "http://127.0.0.1:$web_port" "$scratch/out/web"
    : >"$scratch/web/requests.log"
    "$nalcms" run "$scratch/web.toml" --progress none
    same web
    [ -z "$(awk '$1 != 200 && $1 != 206' "$scratch/web/requests.log")" ]
    local requests sent stored
    requests=$(wc -l <"$scratch/web/requests.log")
    sent=$(awk '{ bytes += $2 } END { print int(bytes / 1048576) }' "$scratch/web/requests.log")
    stored=$(du -sm "$scratch/world" | cut -f1)
    echo "say: $requests requests, $sent MiB of files of $stored MiB"
    # Blocks at borders of tasks are read by each; more than some times the whole would be a mistake.
    [ "$sent" -le $((4 * stored + 16)) ]
}

# An array of shards on machines of their own, one of them killed and gone on with on another machine.
store_array() {
    local shard pid deadline=$((SECONDS + patience))
    remote_job store s3://maps s3://made/store
    in_store "$nalcms" plan "$scratch/store.toml" -o "$scratch/store.json" --shards "$shards" >/dev/null
    in_store "$nalcms" run "$scratch/store.json" --shard 0 --threads 1 --work "$scratch/machines/killed" --progress none &
    pid=$!
    # At once: it has little left to do.
    until parts_of_killed 1; do
        [ "$SECONDS" -lt "$deadline" ]
        sleep 0.01
    done
    # The function runs in a shell of its own, whose child the program is.
    kill_tree "$pid"
    wait "$pid" || true
    for ((shard = 1; shard < shards; shard++)); do
        in_store "$nalcms" run "$scratch/store.json" --shard "$shard" --work "$scratch/machines/$shard" --progress none &
        [ $((shard % 2)) = 1 ] || wait
    done
    wait
    expect 3 in_store "$nalcms" merge "$scratch/store.json" --work "$scratch/machines/merge"
    [ "$(in_store "$nalcms" status "$scratch/store.json" --array --work "$scratch/machines/look")" = 0 ]
    in_store "$nalcms" run "$scratch/store.json" --shard 0 --work "$scratch/machines/other" --progress none
    in_store "$nalcms" merge "$scratch/store.json" --work "$scratch/machines/merge"
    store_copy store
    same store
}

# parts_of_killed N: whether the machine that will be killed has made so many parts; the last may not have been sent.
parts_of_killed() { [ "$(find "$scratch/machines/killed" -name '*.part' 2>/dev/null | wc -l)" -ge "$1" ]; }

# store_copy NAME: what the store has under a name, in the folder of outputs.
store_copy() {
    s3 <<PY
import pathlib
for page in store.get_paginator("list_objects_v2").paginate(Bucket="made", Prefix="$1/"):
    for entry in page["Contents"]:
        if "/.nalcms/" not in entry["Key"]:
            path = pathlib.Path("$scratch/out", entry["Key"])
            path.parent.mkdir(parents=True, exist_ok=True)
            store.download_file("made", entry["Key"], str(path))
PY
}

objects_test() {
    step "inputs behind nginx" web_inputs
    step "shards on machines that share a store alone, one killed" store_array
}

objects_steps() {
    command -v nginx >/dev/null || { [ "$(id -u)" = 0 ] && install_packages "nginx-light" "nginx" >/dev/null 2>&1; }
    setup_oracles >/dev/null 2>&1
    if ! command -v nginx >/dev/null; then
        skip "inputs over HTTP and S3" "nginx is not installed"
    elif ! "$objects_python" -c 'import moto.server, boto3' 2>/dev/null; then
        skip "inputs over HTTP and S3" "moto and boto3 cannot be installed with pip"
    elif ! objects_up >"$scratch/step.log" 2>&1; then
        failures=$((failures + 1))
        echo 'a web server and a store on loopback ... FAILED'
        tail -n 5 "$scratch/step.log" "$scratch/moto.log" "$scratch/web/out.log"
    else
        objects_test
    fi
}
