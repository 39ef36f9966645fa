'use strict';
'require baseclass';

/* LuCI's first page empties the cache of network data before each round. */
return baseclass.extend({
	flushCache: function() { return Promise.resolve(); }
});
