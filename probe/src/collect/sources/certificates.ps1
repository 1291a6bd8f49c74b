# The certificates that trust is made of, of the machine and of the account that asks
foreach ($store in 'LocalMachine\Root', 'LocalMachine\CA', 'LocalMachine\My', 'CurrentUser\Root', 'CurrentUser\CA') {
    Get-ChildItem "Cert:\$store" | Format-List PSParentPath, Subject, Issuer, Thumbprint,
        @{ n = 'NotBefore'; e = { Get-Utc $_.NotBefore } }, @{ n = 'NotAfter'; e = { Get-Utc $_.NotAfter } }, HasPrivateKey
}
