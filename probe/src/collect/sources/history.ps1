# The last twenty synchronizations
(Get-Wsus).GetSubscription().GetSynchronizationHistory() | Select-Object -First 20 |
    Format-List Id, @{ n = 'StartTime'; e = { Get-Utc $_.StartTime } },
        @{ n = 'EndTime'; e = { Get-Utc $_.EndTime } }, StartedManually, Result, Error, ErrorText
