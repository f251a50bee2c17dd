-- Return a page of entries, after the last of them if there are more behind it.
table.insert(page, 1, last)
return page
