# When it synchronizes by itself
(Get-Wsus).GetSubscription() | Format-List SynchronizeAutomatically, NumberOfSynchronizationsPerDay,
    SynchronizeAutomaticallyTimeOfDay, @{ n = 'LastSynchronizationTime'; e = { Get-Utc $_.LastSynchronizationTime } }
