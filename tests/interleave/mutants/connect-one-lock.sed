# channel.c: connecting takes the lock of the near end only.
# file: core/channel.c
# model: bind-close SC
/^static int connect_locked/,/^}/s/lock_two\(local, remote\)/lock_channel(local)/
s/unlock_lock_channel/unlock_channel/
