# Builds what an instance sees of the file system, in namespaces of its own, and becomes a program there.
# $1 empty folder, $2 the instance's disk, $3 the folder of its sockets, $4 the agent's program, $5 the user that it runs as, or nothing
# where namespaces have no other, $6 its name, $7 an address besides its own for the server, or nothing, "off" for no network at all;
# then the program.
set -eu
root=$1 disk=$2 link=$3 agent=$4 user=$5 name=$6 address=$7
shift 7
umask 022
# What is mounted here stays here.
mount --make-rprivate /
mount -t tmpfs -o mode=0755,size=1m instance "$root"
cd "$root"
mkdir -p dev old proc run sys usr .instance/bin .instance/etc .instance/link
system_folders
host_files .instance/etc alternatives ca-certificates ca-certificates.conf crypto-policies ld.so.cache localtime pki protocols services ssl
devices
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkfifo -m 0666 dev/console
mkdir dev/shm
mount -t tmpfs -o mode=1777,size=64m shm dev/shm
mount -t tmpfs -o "mode=0755,size=64m${user:+,uid=$user,gid=$user}" run run
# Folders of the disk itself: what lies in them is not looked at before this is the only view that there is. The disk's /etc says which
# libraries programs load, so that no program that has any power may see it there: it is put in place last of all, and not at all where
# there is no network, since that view is for reading and writing the disk alone.
mkdir etc
[ ! -e .instance/etc/ld.so.cache ] || ln -s /.instance/etc/ld.so.cache etc/ld.so.cache
base=.
[ "$address" != off ] || base=disk
for folder in etc home opt root srv tmp var; do
    place=$base/$folder
    [ "$place" != ./etc ] || place=.instance/own
    mkdir -p "$place"
    mount --bind "$disk/$folder" "$place"
    mount -o remount,bind,nosuid,nodev "$place" || true
done
# Sockets are spoken to all the same; nothing in their folder can be put in place of anything.
read_only "$link" .instance/link
: >.instance/agent
mount --bind "$agent" .instance/agent
mount -o remount,bind,ro,nosuid,nodev .instance/agent || mount -o remount,bind,ro .instance/agent
for command in shutdown poweroff halt reboot; do
    case $command in
    reboot) signal=TERM ;;
    *) signal=USR2 ;;
    esac
    cat >".instance/bin/$command" <<SCRIPT
#!/bin/sh
# Tells the first process, as BusyBox's does. Delays are minutes: shutdown [-h|-P|-r] [now|+MINUTES].
signal=$signal minutes=0
for word in "\$@"; do
    case \$word in
    -r | --reboot) signal=TERM ;;
    +[0-9]*) minutes=\${word#+} ;;
    -c) echo "A shutdown that is under way cannot be cancelled here." >&2; exit 1 ;;
    esac
done
[ "\$minutes" = 0 ] || { (sleep "\$((minutes * 60))" && kill -s "\$signal" 1) >/dev/null 2>&1 & exit 0; }
kill -s "\$signal" 1
SCRIPT
    chmod 0755 ".instance/bin/$command"
done
processes
# The agent serves port 80 and is nobody special to this namespace of networks.
[ "$address" = off ] || echo 0 >proc/sys/net/ipv4/ip_unprivileged_port_start
close_processes
mkfifo -m 0600 .instance/ready .instance/go
mount -o remount,bind,ro . 2>/dev/null || true
hostname "$name" 2>/dev/null || true
pivot_root . old
umount -l /old
cd /
if [ "$address" != off ]; then
    ip link set lo up
    for own in 169.254.169.254 $address; do
        case $own in
        *:*) ip address add "$own/128" dev lo ;;
        *) ip address add "$own/32" dev lo ;;
        esac
    done
fi
if [ "$address" != off ]; then
    # By now the programs that give up all power are loaded: another process, which has it still, lets them see the disk's /etc.
    exec 8<>/.instance/ready 9<>/.instance/go
    (
        read -r ready <&8
        mount --move /.instance/own /etc && echo go >&9 || echo no >&9
    ) </dev/null &
    set -- /bin/sh -c 'echo ready >&8; read -r go <&9; exec 8>&- 9>&-; [ "$go" = go ] || exit 1; exec "$@"' view "$@"
fi
capabilities=-all,+chown,+dac_override,+dac_read_search,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service
set -- setpriv --no-new-privs --inh-caps=-all --bounding-set="$capabilities" -- "$@"
if [ -n "$user" ]; then
    # Root inside, outside a user of its own whom nothing on the host belongs to.
    set -- setpriv --reuid="$user" --regid="$user" --clear-groups -- unshare --user --map-root-user -- "$@"
fi
exec "$@"
