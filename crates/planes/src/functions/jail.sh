# Builds what a function sees of the file system, in namespaces of its own, and runs the function's program there.
# $1 empty folder, $2 code, $3 runtime, $4 temporary folder, $5 the unpacked layers, or nothing, $6 a folder of the system to be shown
# besides, or nothing, $7 the user that the program runs as, or nothing where namespaces have no other; then the program.
set -eu
root=$1 code=$2 runtime=$3 tmp=$4 layers=$5 shown=$6 user=$7
shift 7
# The program may pass through what is made here, whoever it is.
umask 022
# What is mounted here stays here.
mount --make-rprivate /
mount -t tmpfs -o mode=0755,size=1m sandbox "$root"
cd "$root"
mkdir -p dev etc old opt proc tmp usr var/task var/runtime

system_folders
host_files etc alternatives ca-certificates ca-certificates.conf crypto-policies group hosts ld.so.cache localtime nsswitch.conf \
    passwd pki protocols resolv.conf services ssl
devices
ln -s /proc/self/fd dev/fd
mkdir dev/shm
mount -t tmpfs -o mode=1777,size=16m shm dev/shm
read_only "$code" var/task
read_only "$runtime" var/runtime
mount --bind "$tmp" tmp
case "$layers:$shown" in
:*) ;;
*:/opt/*)
    # What is to be shown lies there too.
    for entry in "$layers"/*; do
        name=opt/${entry##*/}
        if [ -L "$entry" ]; then
            cp -P "$entry" "$name"
        elif [ -d "$entry" ]; then
            mkdir "$name"
            read_only "$entry" "$name"
        elif [ -e "$entry" ]; then
            : >"$name"
            read_only "$entry" "$name"
        fi
    done
    ;;
*) read_only "$layers" opt ;;
esac
if [ -n "$shown" ]; then
    mkdir -p ".$shown"
    read_only "$shown" ".$shown"
fi
processes
close_processes
mount -o remount,bind,ro .  2>/dev/null || true
pivot_root . old
umount -l /old
cd /var/task
umask 077
# This shell stays, as the first process of its namespace: it takes care of processes that others leave, and signals end the program
# as they do elsewhere.
status=0
setpriv ${user:+--reuid="$user" --regid="$user" --clear-groups} --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@" || status=$?
exit "$status"
