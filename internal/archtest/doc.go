// Package archtest turns the shape of the code into tests: which package may
// import which, what the deciding core must not touch, how large a function, a
// file and a package may grow. It holds no code that ships.
package archtest
