package filter

// Implementation constants, each with its reason.
const (
	// window is how many samples are kept: enough for stable quartiles of the
	// delay, and chrony's own bound for a source's register.
	window = 64
	// minBuckets times window samples are remembered by their minimum only: the
	// minimum of 1024 samples lies within 4 % of the mean queue of the truth,
	// that of 64 within 16 %.
	minBuckets = 16
	// rerouteRun samples in a row far above the minimum are a longer route, not
	// a queue: at 64 s that is a quarter of an hour of constant extra delay.
	rerouteRun = 16
	// rerouteFactor is how many times their own spread they must lie above.
	rerouteFactor = 3
	// fewDelays is the number of delays below which the median is not trusted.
	fewDelays = 4
	// guessedQueue: with few samples, a mean queue of this fraction of the delay
	// is assumed possible.
	guessedQueue = 8
	// medianOfTwo is the median of the sum of two exponential variables of mean 1.
	medianOfTwo = 1.678
	// busyQueue: where one direction has all the queues, their mean is this many
	// times what the median says for two equal ones (1.678 / ln 2).
	busyQueue = 2.42
	// usualExcess: an excess above so many mean queues is no part of the usual
	// (probability 4e-8 for two equal queues, 2e-4 when all is in one direction).
	usualExcess = 20
	// quartiles is the distance between the quartiles of a normal variable of
	// standard deviation 1.
	quartiles = 1.349
	// lowestNormal deviations below the median lies the smallest of a thousand
	// normal variables at most (1 in 30).
	lowestNormal = 4
	// longestDelay (ns) keeps sums of delays from overflowing.
	longestDelay = 1 << 58
	// smallestQueue (ns) keeps divisions sane on a path without jitter.
	smallestQueue = 10

	// priorReach standard deviations of a Gaussian: beyond, nothing is left (1e-9).
	priorReach = 6
	// leastChance is where a sample is told from impossible no more.
	leastChance = 1e-200
	// edgeShift and edgeBlur: a minimum lies above the truth by a Rayleigh
	// variable, of scale 1: mean 1.2533, deviation 0.6551. The Gaussian that
	// carries the belief on forgets where its bounds were, so a somewhat wider and
	// harder bound errs less. These two are the best of seven pairs that were
	// tried on three cells of testdata/accuracy/clock-matrix.csv (the theory's own
	// was up to 7 % worse there), so that table is no proof of them; random worlds
	// were only looked at afterwards.
	edgeShift = 1.6
	edgeBlur  = 0.45
	// leastLean decay lengths between the bounds make a slope; with less it is
	// flat.
	leastLean = 0.3
	// vague: a prior so many times wider than the likelihood sees only its mean
	// and variance, to 1 %; and there the closed form loses its digits.
	vague = 16
	// wide: a prior whose variance exceeds the noise's so many times loses almost
	// all of it.
	wide = 16
	// sharpest is the largest share of its variance that a bound takes from a
	// belief: at vague it is 0.9997.
	sharpest = 0.9999

	// stampFloor (ns) is the least error of a timestamp that is believed.
	stampFloor = 300
	// dispersionSDs: a sample's dispersion bounds an error of about a quarter.
	dispersionSDs = 4
	// outlierShare is how often a sample is expected to obey no model.
	outlierShare = 1e-3
	// outlierQueues mean queues and outlierSDs deviations of the forecast, beside
	// the excess, are the span in which an outlier may lie.
	outlierQueues = 8
	outlierSDs    = 10
	// outlierTrust: below this probability of obeying the model a sample's
	// influence is shared with the prior; above, the model has it all.
	outlierTrust = 0.9
	// hopelessTrust: below this one it has none.
	hopelessTrust = 0.003
	// surprises in a row restart the estimate from the newest samples.
	surprises = 4
	// farthest (ns) is what a surprise is taken for at most, 30 years, so that its
	// square and all that is added to it stay within the numbers.
	farthest = 1e18
	// credible: an estimate that fewer samples fitted since it began anew began
	// with the wrong ones; what it says of the rate is worth nothing.
	credible = 8
	// replay is the number of samples up to which a changed minimum is worth
	// looking at the samples again; later ones hardly feel the old ones.
	replay = 16
	// replayFall: a minimum that falls by so many of its own deviations shows that
	// all samples before had queued (chance alone: 3e-4). Where it contradicts the
	// estimate by so many deviations, all samples that are kept are looked at
	// again.
	replayFall    = 4
	contradiction = 4
	// restShare is the weight below which a hypothesis rests.
	restShare = 1e-3
	// callShare is the weight with which it comes back.
	callShare = 5e-3
	// callEvery samples one of the resting is called: each has its turn after some
	// 80, which is early enough for what comes slowly. These three and watchShare
	// are a trade between the cost and rare wrong turns (four servers of which
	// three are poor). They were chosen among some seventeen settings with the
	// cells of the accuracy table in view, so that table is no evidence for them;
	// the worlds from 2001 on are (sim/README.md).
	callEvery = 2
	// unlikely: a sample at less than so much of the leading hypothesis' highest
	// density calls its neighbours up at once: the oscillator or the path may
	// have changed its nature.
	unlikely = 0.03
	// watchShare is the weight below which a hypothesis is only watched: what it
	// believes is left out of the estimate.
	watchShare = 3e-3

	// pollSamples must have come before the poll interval moves: the eight of the
	// start and two at the shortest interval.
	pollSamples = 10
	// shortest is what PollChange says when the estimate had to begin anew: below
	// any poll exponent.
	shortest = -32
	// lengthenVotes samples in a row must agree to a longer interval, so that
	// the rate settles before it is trusted for long, shortenVotes to a shorter.
	lengthenVotes = 4
	shortenVotes  = 2
	// lengthenLoss and shortenLoss: the variance that the estimate gains in one
	// interval, in units of a sample's own. Up to the first the doubled interval
	// costs little, above the second the present one costs too much; what lies
	// between keeps the interval from swinging.
	lengthenLoss = 1.7
	// leanNoise bounds what a one-sided path's samples are taken to be worth when
	// the interval is chosen: precision beyond it is not worth its packets.
	leanNoise = 50
	// pollMajority of the bank's weight must agree.
	pollMajority = 0.6
	shortenLoss  = 3

	// priorRateSD (ns/s) is what is known of an oscillator beforehand.
	priorRateSD = 100e3
	// doubtedRateSD (ns/s): an oscillator keeps its rate to about 10 ppm through
	// whatever made the phase jump.
	doubtedRateSD = 10e3
)
