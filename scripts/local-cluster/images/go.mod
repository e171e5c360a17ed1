module reins.local/cluster/images

go 1.24.0
