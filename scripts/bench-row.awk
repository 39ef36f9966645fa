# One line of a table: the medians over the rounds in the file, and the ratio of
# the CPU time to that in the file of the reference. An absent file has no rounds.
# usage: awk -v server=NAME -v reference=FILE -f bench-row.awk FILE

function note(f,    i) {
	for (i = 1; i < NF; i += 2) value[f, $i, ++n[f, $i]] = $(i + 1) + 0
}

function median(f, name,    i, j, count, sorted, t) {
	count = n[f, name]
	for (i = 1; i <= count; i++) {
		sorted[i] = value[f, name, i]
		for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) { t = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = t }
	}
	return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

BEGIN { while ((getline < reference) > 0) note("reference") }
{ note("own") }
END {
	if (!n["own", "cpu"]) { printf "  %-10s %7s\n", server, "absent"; exit }
	cpu = median("own", "cpu")
	ratio = n["reference", "cpu"] ? sprintf("%.2f", cpu / median("reference", "cpu")) : "-"
	printf "  %-10s %7d %7d %7d %6s %9d %4d%% %7d %8d %8d %8d\n", server, cpu, median("own", "user"), median("own", "system"),
		ratio, median("own", "rate"), median("own", "busy"), median("own", "lost"),
		median("own", "p50"), median("own", "p99"), median("own", "p99.9")
}
