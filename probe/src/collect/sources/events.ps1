# What the event logs say of WSUS, SCHANNEL, services and the clock: at most 400 events
$filters = @(
    @{ LogName = 'Application'; ProviderName = 'Windows Server Update Services' },
    @{ LogName = 'System'; ProviderName = 'Schannel' },
    @{ LogName = 'System'; ProviderName = 'Service Control Manager'; Id = 7000, 7001, 7009, 7031, 7034, 7036 },
    @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-WAS' },
    @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-Kernel-General'; Id = 1 },
    @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-WindowsUpdateClient'; Id = 19 }
)
$events = foreach ($filter in $filters) {
    Get-WinEvent -FilterHashtable $filter -MaxEvents 100 -ErrorAction SilentlyContinue
}
if (-not $events) { throw 'the event logs hold nothing of WSUS, SCHANNEL, services or the clock' }
$shown = @{ n = 'TimeCreated'; e = { Get-Utc $_.TimeCreated } }, 'ProviderName', 'Id', 'LevelDisplayName', 'MachineName', 'Message'
$events | Sort-Object TimeCreated | Select-Object -Last 400 | Format-List $shown
