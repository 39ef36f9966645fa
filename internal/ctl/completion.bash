_ntsctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} cmd='' i words flags=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-h) i=$((i + 1)); flags=(-h "${COMP_WORDS[i]}") ;;
		-*) ;;
		*) cmd=${cmd:-${COMP_WORDS[i]}} ;;
		esac
	done
	if [ "${COMP_WORDS[COMP_CWORD-1]}" = -h ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	case $cmd in
	'' | help) words='COMMANDS' ;;
	TARGETS)
		# compgen expands its words: let through only what names are made of.
		words=$(for names in '' -N; do
			ntsctl "${flags[@]}" $names -a -c sources 2>/dev/null | cut -d, -f3
		done | tr -cd '[:alnum:]._:\n-') ;;
	FIXED
	*) words= ;;
	esac
	case $cur in
	-*) words='-n -N -c -a -v -y -m -e -h --csv --json --help --version' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
}
complete -F _ntsctl ntsctl
