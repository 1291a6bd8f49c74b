# The application pool of WSUS
$appcmd = Join-Path $env:SystemRoot 'System32\inetsrv\appcmd.exe'
& $appcmd list apppool WsusPool
