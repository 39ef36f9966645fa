_ntsctl() {
	local -a flags
	local cmd='' fixed='' i
	for ((i = 2; i < CURRENT; i++)); do
		case ${words[i]} in
		-h) i=$((i + 1)); flags=(-h "${words[i]}") ;;
		-*) ;;
		*) cmd=${cmd:-${words[i]}} ;;
		esac
	done
	if [[ ${words[CURRENT-1]} = -h ]]; then
		_files
		return
	elif [[ ${words[CURRENT]} = -* ]]; then
		compadd -- -n -N -c -a -v -y -m -e -h --csv --json --help --version
		return
	fi
	fixed=$(_ntsctl_words "$cmd" "${flags[@]}")
	compadd -- ${=fixed}
}
_ntsctl_words() {
	local cmd=$1 words= names
	shift
	case $cmd in
	'' | help) words='COMMANDS' ;;
	TARGETS)
		words=$(for names in '' -N; do
			ntsctl "$@" ${names:+$names} -a -c sources 2>/dev/null | cut -d, -f3
		done | tr -cd '[:alnum:]._:\n-') ;;
	FIXED
	esac
	echo $words
}
compdef _ntsctl ntsctl
