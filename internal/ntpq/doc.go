// Package ntpq says what the daemon knows in the words of NTPsec's ntpq: its
// list of peers, its counters of NTS, its units and signs. It is layer 3;
// ntsctl prints it, and mode6 answers a real ntpq with it.
//
// ntpq counts offsets the other way round than chronyc: a positive offset means
// that the clock of this machine is slow. What comes from package status, which
// has chronyc's signs, is turned round here and nowhere else.
//
// Not here: the packets of mode 6.
package ntpq
