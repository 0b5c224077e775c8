# What every view of this host has, made below the present folder.

# Shows $1 as $2, for reading.
read_only() {
    mount --rbind "$1" "$2"
    mount -o remount,bind,ro,nosuid,nodev "$2" || mount -o remount,bind,ro "$2"
}

# The system's programs and libraries.
system_folders() {
    for folder in bin sbin lib lib32 lib64 libx32; do
        if [ -L "/$folder" ]; then
            ln -s "$(readlink "/$folder")" "$folder"
        elif [ -d "/$folder" ]; then
            mkdir "$folder"
            read_only "/$folder" "$folder"
        fi
    done
    read_only /usr usr
}

# Entries of /etc in the folder $1, as far as the host has them.
host_files() {
    into=$1
    shift
    for entry in "$@"; do
        if [ -d "/etc/$entry" ]; then
            mkdir "$into/$entry"
            read_only "/etc/$entry" "$into/$entry"
        elif [ -e "/etc/$entry" ]; then
            : >"$into/$entry"
            mount --bind "/etc/$entry" "$into/$entry"
            mount -o remount,bind,ro "$into/$entry" || mount -o remount,bind,ro,nosuid,nodev "$into/$entry"
        fi
    done
}

devices() {
    for device in null zero full random urandom; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
}

# For the processes of this namespace alone, which `close_processes` must follow.
processes() {
    mount -t proc proc proc
}

close_processes() {
    # What the kernel lets uid 0 write goes by the uid and not by capabilities.
    for part in sys sysrq-trigger irq bus fs; do
        [ -e "proc/$part" ] || continue
        mount --bind "proc/$part" "proc/$part"
        mount -o remount,bind,ro,nosuid,nodev,noexec "proc/$part"
    done
}
