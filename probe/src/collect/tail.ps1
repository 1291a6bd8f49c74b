$json = $collection | ConvertTo-Json -Depth 4
$full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
[IO.File]::WriteAllText($full, $json, (New-Object Text.UTF8Encoding $false))
Write-Host "Written: $full"
Write-Host 'Hand it over, or read it anywhere: wsusprobe diagnose FILE'
